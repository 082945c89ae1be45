//! Board profiles: what the kernel does not say about a board.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// What is known about a board beforehand.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Its name, as people call it.
    pub name: String,
    /// Strings of the device tree's `compatible` that mean this board.
    pub compatible: Vec<String>,
    /// Architectures (as Rust names them) for which this is the profile if no other fits.
    pub architectures: Vec<String>,
    /// What to add to the kernel's command line for undisturbed workers; `LAST` stands for the last core.
    pub command_line: String,
    /// What else its users should know.
    pub notes: Vec<String>,
    /// Its clusters of cores.
    #[serde(default, rename = "cluster")]
    pub clusters: Vec<Cluster>,
    /// Its UARTs.
    #[serde(default, rename = "uart")]
    pub uarts: Vec<Uart>,
}

/// Cores of one kind.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// What they are.
    pub core: String,
    /// How many there are.
    pub count: u32,
    /// Their computing power; 1024 is the board's fastest.
    pub capacity: u32,
}

/// A UART and its traps.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Uart {
    /// Its device.
    pub device: String,
    /// Its hardware.
    pub kind: String,
    /// What has surprised others.
    pub traps: Vec<String>,
}

/// A profile that is no profile.
#[derive(Debug, thiserror::Error)]
#[error("boards/{file}.toml: {source}")]
pub struct BoardError {
    file: &'static str,
    source: Box<toml::de::Error>,
}

const PROFILES: [(&str, &str); 8] = [
    ("raspberry-pi-3b", include_str!("../../boards/raspberry-pi-3b.toml")),
    ("raspberry-pi-4b", include_str!("../../boards/raspberry-pi-4b.toml")),
    ("raspberry-pi-5", include_str!("../../boards/raspberry-pi-5.toml")),
    ("raspberry-pi-zero-2w", include_str!("../../boards/raspberry-pi-zero-2w.toml")),
    ("orange-pi-5", include_str!("../../boards/orange-pi-5.toml")),
    ("beaglebone-black", include_str!("../../boards/beaglebone-black.toml")),
    ("generic-arm64", include_str!("../../boards/generic-arm64.toml")),
    ("generic-x86_64", include_str!("../../boards/generic-x86_64.toml")),
];

/// The board this is, as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// Name of the profile, as of its file.
    pub profile: &'static str,
    /// The profile.
    pub board: Board,
    /// What the machine calls itself (device tree or DMI), where it does.
    pub model: Option<String>,
}

impl Board {
    /// All profiles with their names.
    ///
    /// # Errors
    /// If one is damaged; they are part of the program, so a test sees to that.
    pub fn all() -> Result<Vec<(&'static str, Self)>, BoardError> {
        let parse = |(file, text): &(&'static str, &str)| {
            let board = toml::from_str(text).map_err(|source| BoardError { file, source: Box::new(source) })?;
            Ok((*file, board))
        };
        PROFILES.iter().map(parse).collect()
    }

    /// Finds out which board this is: device tree below `root` first, then the architecture; the model's name from the device
    /// tree or DMI. `None`: an architecture without a profile.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub fn detect(root: &Path, architecture: &str) -> Result<Option<Detected>, BoardError> {
        let tree = root.join("sys/firmware/devicetree/base");
        let compatible = fs::read(tree.join("compatible")).unwrap_or_default();
        let compatible = String::from_utf8_lossy(&compatible);
        // Most specific first, each ended by a zero (Devicetree Specification 2.3.1).
        let strings: Vec<&str> = compatible.split('\0').filter(|string| !string.is_empty()).collect();
        let profiles = Self::all()?;
        let known = |string: &&str| profiles.iter().find(|(_, board)| board.compatible.iter().any(|own| own == string));
        let by_tree = strings.iter().find_map(known);
        let by_architecture =
            || profiles.iter().find(|(_, board)| board.architectures.iter().any(|own| own == architecture));
        let model = model(root, &tree);
        let found = by_tree.or_else(by_architecture);
        Ok(found.map(|(profile, board)| Detected { profile, board: board.clone(), model }))
    }
}

fn model(root: &Path, tree: &Path) -> Option<String> {
    let read = |path: &Path| {
        let text = fs::read(path).ok()?;
        let text = String::from_utf8_lossy(&text).trim_matches(['\0', '\n', ' ']).to_owned();
        (!text.is_empty()).then_some(text)
    };
    let dmi = root.join("sys/class/dmi/id");
    read(&tree.join("model")).or_else(|| {
        let (vendor, product) = (read(&dmi.join("sys_vendor")), read(&dmi.join("product_name")));
        match (vendor, product) {
            (Some(vendor), Some(product)) => Some(format!("{vendor} {product}")),
            (vendor, product) => vendor.or(product),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_whole_and_found_by_what_it_claims() {
        for (profile, board) in Board::all().unwrap() {
            let root = tempfile::tempdir().unwrap();
            let tree = root.path().join("sys/firmware/devicetree/base");
            fs::create_dir_all(&tree).unwrap();
            for compatible in &board.compatible {
                fs::write(tree.join("compatible"), format!("{compatible}\0vendor,soc\0")).unwrap();
                assert_eq!(Board::detect(root.path(), "none").unwrap().unwrap().profile, profile);
            }
            for architecture in &board.architectures {
                fs::write(tree.join("compatible"), "who,knows\0").unwrap();
                assert_eq!(Board::detect(root.path(), architecture).unwrap().unwrap().profile, profile);
            }
            assert!(!board.compatible.is_empty() || !board.architectures.is_empty(), "{profile} is never found");
            assert_eq!(board.clusters.is_empty(), board.compatible.is_empty(), "{profile}");
            assert!(board.uarts.iter().all(|uart| uart.device.starts_with("/dev/tty") && !uart.traps.is_empty()));
        }
    }

    #[test]
    fn there_is_a_profile_for_every_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let mut profiles: Vec<&str> = PROFILES.iter().map(|(name, _)| *name).collect();
        files.sort();
        profiles.sort_unstable();
        assert_eq!(files, profiles);
    }

    #[test]
    fn the_model_is_what_the_machine_calls_itself() {
        let root = tempfile::tempdir().unwrap();
        let dmi = root.path().join("sys/class/dmi/id");
        fs::create_dir_all(&dmi).unwrap();
        fs::write(dmi.join("sys_vendor"), "ACME\n").unwrap();
        fs::write(dmi.join("product_name"), "Box 3\n").unwrap();
        let detected = Board::detect(root.path(), "x86_64").unwrap().unwrap();
        assert_eq!(detected.model.as_deref(), Some("ACME Box 3"));
        assert_eq!(Board::detect(root.path(), "s390x").unwrap(), None);
    }
}
