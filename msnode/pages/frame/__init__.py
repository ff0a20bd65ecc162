"""What every page has: the site, words, templates, headers, and the page that tells a problem."""
