//! Which stage holds the others up, and the evidence: utilisation and Little's law.
