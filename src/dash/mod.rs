//! What a person looks at: the live table and the closing report.
