"""What every widget shares: the bus, elements, number formats, joined modules, errors shown in the page."""
