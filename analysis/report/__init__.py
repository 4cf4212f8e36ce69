"""heaptape report: from a results folder to report.html and its charts. Reads files only."""
