"""PDF files made here: pages with a foot, bookmarks, tables that break over pages, charts, and the order in which a screen reader reads."""
