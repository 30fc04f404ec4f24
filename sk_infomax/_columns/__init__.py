"""What columns of any container hold, and such columns as numbers; both wings read them here."""
