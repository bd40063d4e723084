//! A device tree that can be edited: nearly sound manifests, so that what lies behind the structure is reached.

/// A node with its properties and the nodes below it.
#[derive(Clone, Default)]
pub struct Node {
    name: Vec<u8>,
    properties: Vec<(Vec<u8>, Vec<u8>)>,
    children: Vec<Self>,
}

/// The tokens of a structure block (Devicetree 0.4, 5.4.1).
const BEGIN: u32 = 1;
const END: u32 = 2;
const PROPERTY: u32 = 3;
const LAST: u32 = 9;

/// Cells around which rules change.
const CELLS: &[u32] = &[
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    0xB,
    0xF,
    0x10,
    0x13,
    15,
    16,
    17,
    31,
    32,
    33,
    40,
    41,
    56,
    64,
    65,
    255,
    256,
    1019,
    1020,
    1056,
    1119,
    1120,
    4095,
    4096,
    5000,
    5119,
    5120,
    0x1001,
    0x3FFC,
    0x4000,
    0x4004,
    0x5FFF,
    0x6000,
    0x800,
    0x900,
    0xB01,
    0x1B01,
    0x603,
    0x8000,
    0x8001,
    0xFFFE,
    0xFFFF,
    0x1_0000,
    0x1_0001,
    0x1_0002,
    0x1_0003,
    0x1_0004,
    0x2_0000,
    0x4_0000,
    0x0800_0000,
    0x0904_0000,
    0x0E10_0000,
    0x0E20_0000,
    0x0E20_1000,
    0x0E24_0000,
    0x0E80_0000,
    0x0F00_0000,
    0x4000_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_F000,
    0xFFFF_FFFF,
];

impl Node {
    /// The tree of a sound blob.
    ///
    /// # Panics
    /// If it is not sound.
    #[must_use]
    pub fn of(blob: &[u8]) -> Self {
        let word = |at: usize| u32::from_be_bytes(blob[at..at + 4].try_into().unwrap());
        let text = |at: usize| blob[at..].split(|byte| *byte == 0).next().unwrap().to_vec();
        let (mut at, strings) = (word(8) as usize, word(12) as usize);
        let mut open = vec![Self::default()];
        loop {
            let token = word(at);
            at += 4;
            match token {
                BEGIN => {
                    let name = text(at);
                    at = (at + name.len() + 1).next_multiple_of(4);
                    open.push(Self { name, ..Self::default() });
                }
                END => {
                    let node = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(node);
                }
                PROPERTY => {
                    let (length, name) = (word(at) as usize, text(strings + word(at + 4) as usize));
                    let value = blob[at + 8..at + 8 + length].to_vec();
                    open.last_mut().unwrap().properties.push((name, value));
                    at = (at + 8 + length).next_multiple_of(4);
                }
                _ => return open.pop().unwrap().children.pop().unwrap(),
            }
        }
    }

    /// The blob of the tree.
    #[must_use]
    pub fn blob(&self) -> Vec<u8> {
        let (mut structure, mut strings) = (Vec::new(), Vec::new());
        self.write(&mut structure, &mut strings);
        structure.extend(LAST.to_be_bytes());
        let (header, reservations) = (40, 16);
        let at = header + reservations;
        let total = at + structure.len() + strings.len();
        let words =
            [0xD00D_FEED, total, at, at + structure.len(), header, 17, 16, 0, strings.len(), structure.len()];
        let mut blob: Vec<u8> = words.iter().flat_map(|word| (*word as u32).to_be_bytes()).collect();
        blob.resize(at, 0);
        blob.extend(structure);
        blob.extend(strings);
        blob
    }

    fn write(&self, structure: &mut Vec<u8>, strings: &mut Vec<u8>) {
        let padded = |structure: &mut Vec<u8>| structure.resize(structure.len().next_multiple_of(4), 0);
        structure.extend(BEGIN.to_be_bytes());
        structure.extend(&self.name);
        structure.push(0);
        padded(structure);
        for (name, value) in &self.properties {
            for word in [PROPERTY, value.len() as u32, strings.len() as u32] {
                structure.extend(word.to_be_bytes());
            }
            structure.extend(value);
            padded(structure);
            strings.extend(name);
            strings.push(0);
        }
        self.children.iter().for_each(|child| child.write(structure, strings));
        structure.extend(END.to_be_bytes());
    }

    /// How many nodes there are.
    fn count(&self) -> usize {
        1 + self.children.iter().map(Self::count).sum::<usize>()
    }

    /// The node of this place, which is less than their count.
    fn at(&mut self, place: usize) -> &mut Self {
        let Some(mut place) = place.checked_sub(1) else { return self };
        for child in &mut self.children {
            match place.checked_sub(child.count()) {
                Some(rest) => place = rest,
                None => return child.at(place),
            }
        }
        unreachable!("a place is less than the count");
    }

    /// One change: what, in which node, to which of its properties, with which values. `others` lend theirs.
    pub fn edit(&mut self, [what, node, which, a, b]: [u8; 5], others: &[Self]) {
        let place = usize::from(node) % self.count();
        let node = self.at(place);
        let pick = |length: usize| usize::from(which).checked_rem(length);
        let cell = CELLS[usize::from(a) % CELLS.len()];
        let property = pick(node.properties.len());
        match (what % 10, property, pick(node.children.len())) {
            // A cell of a value, or the value as a whole.
            (0 | 1, Some(at), _) => {
                let value = &mut node.properties[at].1;
                let count = value.len() / 4;
                match usize::from(b).checked_rem(count) {
                    Some(place) => value[place * 4..place * 4 + 4].copy_from_slice(&cell.to_be_bytes()),
                    None => *value = cell.to_be_bytes().to_vec(),
                }
            }
            (2, Some(at), _) => node.properties[at].1 = cell.to_be_bytes().to_vec(),
            (3, Some(at), _) => node.properties[at].1.extend(cell.to_be_bytes()),
            (4, Some(at), _) => node.properties[at].1.truncate(usize::from(a)),
            (5, Some(at), _) => drop(node.properties.remove(at)),
            (6, _, Some(at)) => drop(node.children.remove(at)),
            // The same node once more, under another name.
            (7, _, Some(at)) => {
                let mut copy = node.children[at].clone();
                copy.name.push(b'a' + b % 26);
                node.children.push(copy);
            }
            // A property or a node of another tree.
            (8, ..) if !others.is_empty() => {
                let mut other = others[usize::from(a) % others.len()].clone();
                let from = usize::from(b) % other.count();
                let from = other.at(from);
                if let Some(at) = pick(from.properties.len()) {
                    let lent = from.properties[at].clone();
                    node.properties.retain(|(name, _)| *name != lent.0);
                    node.properties.push(lent);
                }
            }
            (9, ..) if !others.is_empty() => {
                let other = &others[usize::from(a) % others.len()];
                if let Some(at) = pick(other.children.len()) {
                    let lent = other.children[at].clone();
                    node.children.retain(|child| child.name != lent.name);
                    node.children.push(lent);
                }
            }
            _ => {}
        }
    }
}
