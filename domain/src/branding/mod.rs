//! How an ISP presents itself. Owns `branding`.
