//! The ISP's customers. Owns `subscriber`.
