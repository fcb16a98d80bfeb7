"""The page's shell: header, session, guard, templates, scripts, and what two tabs share."""
