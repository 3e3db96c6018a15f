"""The parts that widgets share: bus, elements, number formats, joined modules, errors."""
