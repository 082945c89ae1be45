//! Temperatures as the kernel shows them: hwmon (Documentation/hwmon/sysfs-interface) and thermal zones
//! (Documentation/driver-api/thermal/sysfs-api), both in thousandths of a degree Celsius.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A sensor that has been found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemperatureSensor {
    /// Name made of its chip and label, unique among those found: letters, digits, `_`.
    pub name: String,
    /// The file that holds its value.
    pub path: PathBuf,
}

/// All temperature sensors below `root` (`/` on a real machine), in a stable order.
pub fn temperatures(root: &Path) -> Vec<TemperatureSensor> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for chip in folders(&root.join("sys/class/hwmon")) {
        // The kernel shows most thermal zones as chips too; one column for one sensor is enough.
        if chip.join("device").canonicalize().is_ok_and(|device| is_zone(&device)) {
            continue;
        }
        let name = line(&chip.join("name")).unwrap_or_else(|| "hwmon".into());
        for input in inputs(&chip) {
            let stem = input.file_name().and_then(|name| name.to_str()).unwrap_or_default().trim_end_matches("_input");
            let label = line(&chip.join(format!("{stem}_label"))).unwrap_or_else(|| stem.to_owned());
            found.push((format!("{name}_{label}"), input.clone()));
        }
    }
    for zone in folders(&root.join("sys/class/thermal")) {
        if is_zone(&zone) && zone.join("temp").exists() {
            let name = line(&zone.join("type")).unwrap_or_else(|| "zone".into());
            found.push((name, zone.join("temp")));
        }
    }
    // A sensor that cannot be read now (a chip asleep) is left out: its column would be empty for ever.
    found.retain(|(_, path)| TemperatureSensor::read(&File::open(path)).is_some());
    unique(found)
}

fn unique(found: Vec<(String, PathBuf)>) -> Vec<TemperatureSensor> {
    let mut sensors: Vec<TemperatureSensor> = Vec::new();
    for (name, path) in found {
        let plain = |byte: char| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { '_' };
        let name: String = name.chars().map(plain).collect();
        let is_free = |name: &String| sensors.iter().all(|sensor| sensor.name != *name);
        let names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}_{number}")));
        let name = names.into_iter().find(is_free).unwrap_or(name);
        sensors.push(TemperatureSensor { name, path });
    }
    sensors
}

impl TemperatureSensor {
    /// Reads a sensor's file again from its start; degrees Celsius, `None` if the kernel gives none.
    pub fn read(file: &io::Result<File>) -> Option<f64> {
        let mut text = [0; 32];
        let count = file.as_ref().ok()?.read_at(&mut text, 0).ok()?;
        let millis: i32 = std::str::from_utf8(&text[..count]).ok()?.trim().parse().ok()?;
        Some(f64::from(millis) / 1000.0)
    }
}

fn is_zone(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("thermal_zone"))
}

fn folders(class: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(class).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    // hwmon2 before hwmon10.
    folders.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    folders
}

fn inputs(chip: &Path) -> Vec<PathBuf> {
    let is_input = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("temp") && name.ends_with("_input")
    };
    folders(chip).into_iter().filter(is_input).collect()
}

fn line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files as a board shows them.
    pub(crate) fn board(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn chips_and_zones_are_found_with_their_own_names() {
        let root = board(&[
            ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "48312\n"),
            ("sys/class/hwmon/hwmon1/name", "nvme\n"),
            ("sys/class/hwmon/hwmon1/temp1_input", "-1500\n"),
            ("sys/class/hwmon/hwmon1/temp1_label", "Composite\n"),
            ("sys/class/hwmon/hwmon1/temp2_input", "broken\n"),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "50000\n"),
            ("sys/class/thermal/thermal_zone1/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone1/temp", "51000\n"),
            ("sys/class/thermal/cooling_device0/type", "fan\n"),
        ]);
        let sensors = temperatures(root.path());
        let names: Vec<_> = sensors.iter().map(|sensor| sensor.name.as_str()).collect();
        assert_eq!(names, ["cpu_thermal_temp1", "nvme_composite", "cpu_thermal", "cpu_thermal_2"]);
        let values: Vec<_> =
            sensors.iter().map(|sensor| TemperatureSensor::read(&File::open(&sensor.path)).unwrap()).collect();
        assert_eq!(values, [48.312, -1.5, 50.0, 51.0]);
    }

    #[test]
    fn a_thermal_zone_that_is_shown_as_a_chip_too_is_one_sensor() {
        let root = board(&[
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "50000\n"),
            ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "50000\n"),
        ]);
        let class = root.path().join("sys/class");
        std::os::unix::fs::symlink(class.join("thermal/thermal_zone0"), class.join("hwmon/hwmon0/device")).unwrap();
        let names: Vec<_> = temperatures(root.path()).into_iter().map(|sensor| sensor.name).collect();
        assert_eq!(names, ["cpu_thermal"]);
    }

    #[test]
    fn a_machine_without_sensors_has_none() {
        assert_eq!(temperatures(board(&[]).path()), []);
    }
}
