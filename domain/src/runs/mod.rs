//! Work that crosses capabilities: activation, renewal, settlement.
