// What the explorer of the site needs of hyparquet, and the decompressor that hyparquet-compressors has for ZSTD, the
// only compression of the site's files. Those for Brotli, LZ4 and GZIP would add 100 kB, that for Snappy WebAssembly.
export { parquetMetadataAsync, parquetRead } from "hyparquet";
export { decompress } from "fzstd";
