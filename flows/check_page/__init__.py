"""The check page: a sender tries a file in a browser and sees the receipt that it would get. Nothing is stored."""
