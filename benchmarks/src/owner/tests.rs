use super::*;

#[test]
fn a_user_is_found_by_its_whole_name() {
    let passwd = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8:::\npostgres:x:105:110:PostgreSQL,,,:/var:/bin/bash\n";
    assert_eq!(find(passwd, "postgres"), Some(Owner::Other { uid: 105, gid: 110 }));
    assert_eq!(find(passwd, "nobody"), None);
}
