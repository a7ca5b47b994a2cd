use super::*;

#[test]
fn model_and_memory_are_read_as_the_kernel_writes_them() {
    let cpuinfo =
        "processor\t: 0\nvendor_id\t: X\nmodel name\t: Some CPU @ 2.00GHz\n\nprocessor\t: 1\nmodel name\t: Z\n";
    assert_eq!(cpu_model(cpuinfo), Some("Some CPU @ 2.00GHz"));
    assert_eq!(memory_mib("MemTotal:       24567890 kB\nMemFree: 1 kB\n"), Some(23_992));
}

#[test]
fn what_the_kernel_does_not_say_is_unknown() {
    assert_eq!(cpu_model("processor : 0\n"), None);
    assert_eq!(memory_mib("MemFree: 1 kB\n"), None);
}

#[test]
fn a_program_is_named_with_the_time_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("synapsed");
    assert!(built(&program).ends_with("/synapsed: not there"));
    let file = fs::File::create(&program).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert!(built(&program).ends_with("/synapsed of 1970-01-01T00:00:00Z"));
}
