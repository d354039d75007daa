//! The Studio flow definition as plain data: parse, canonical form, comparison, references. No I/O.
