"""The pages of the site, one module for each subject: what they show, in a language's words."""
