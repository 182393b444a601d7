//! The items of one POST: no more than fit into memory many times over, whoever made them.

use super::{Error, Item, MOST_ITEMS};

/// Items so far.
#[derive(Default)]
pub(super) struct Items {
    list: Vec<Item>,
    /// There was one that did not fit.
    too_many: bool,
}

impl Items {
    pub fn push(&mut self, item: Item) {
        if self.list.len() < MOST_ITEMS {
            self.list.push(item);
        } else {
            self.too_many = true;
        }
    }

    /// Ends with the first that does not fit.
    pub fn extend(&mut self, items: impl IntoIterator<Item = Item>) {
        for item in items {
            self.push(item);
            if self.too_many {
                return;
            }
        }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn are_too_many(&self) -> bool {
        self.too_many
    }

    /// Those from this place on.
    pub fn since(&mut self, place: usize) -> &mut [Item] {
        &mut self.list[place..]
    }

    pub fn all(self) -> Result<Vec<Item>, Error> {
        if self.too_many { Err(Error::TooMany) } else { Ok(self.list) }
    }
}
