//! Vectors of pgvector.

use pgvector::{SparseVector, Vector};

use crate::cluster::{Cluster, Server};

#[tokio::test]
async fn vectors_are_written_on_either_node_and_read_on_the_other() {
    let cluster = Cluster::start(&[Server::WithVector, Server::WithVector]).await;
    cluster
        .sql_all(
            "CREATE EXTENSION vector; \
             CREATE TABLE items (id int PRIMARY KEY, v vector(3), h halfvec(2), s sparsevec(5), w vector, many vector(3)[]); \
             CREATE INDEX ON items USING hnsw (v vector_l2_ops)",
        )
        .await;
    let (first, second) = (cluster.session("n1").await, cluster.session("n2").await);
    let insert = "INSERT INTO items VALUES ($1, $2::vector, '[0.5,-1]', '{1:1.5,4:-2}/5', $3::vector, ARRAY[$2::vector, NULL]::vector(3)[])";
    for (session, from) in [(&first, 0_i16), (&second, 100)] {
        for number in from..from + 50 {
            let x = f32::from(number);
            let wide = Vector::from(vec![x / 3.0; 300]);
            let short = Vector::from(vec![x, -x / 7.0, 1e-30]);
            let id = i32::from(number);
            session.execute(insert, &[&id, &short, &wide]).await.unwrap();
        }
    }
    cluster.equal(&["items"]).await;
    let update = "UPDATE items SET v = $1 WHERE id < 25";
    second
        .execute(update, &[&Vector::from(vec![1.0, 2.0, 3.5])])
        .await
        .unwrap();
    first
        .execute("UPDATE items SET v = NULL, many = '{}' WHERE id > 140", &[])
        .await
        .unwrap();
    first.execute("DELETE FROM items WHERE id = 3", &[]).await.unwrap();
    cluster.equal(&["items"]).await;
    let row = first
        .query_one("SELECT v, s, w FROM items WHERE id = 7", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Vector>(0).as_slice(), [1.0, 2.0, 3.5]);
    assert_eq!(row.get::<_, SparseVector>(1).to_vec(), [1.5, 0.0, 0.0, -2.0, 0.0]);
    assert_eq!(row.get::<_, Vector>(2).as_slice(), [7.0_f32 / 3.0; 300]);
    let nearest = "SELECT id FROM items ORDER BY v <-> '[119,-17,0]' LIMIT 1";
    assert_eq!(cluster.number("n1", nearest).await, 119);
}
