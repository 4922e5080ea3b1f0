//! Bytes that decide. Whatever is decided by a shorter tape, or one with smaller bytes, is simpler, so that proptest can
//! shrink what fails; past its end every decision is the first one.

pub struct Tape<'t> {
    bytes: std::slice::Iter<'t, u8>,
}

impl<'t> Tape<'t> {
    pub fn new(bytes: &'t [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    /// 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        match n {
            0 | 1 => 0,
            n if n <= 256 => usize::from(self.byte()) * n / 256,
            n => (usize::from(self.byte()) << 8 | usize::from(self.byte())) * n / 65_536,
        }
    }

    /// So many times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
