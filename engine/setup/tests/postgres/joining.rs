use synapse_engine_setup::{Drawn, drawn_sequences, install, lower_fence, pass_sequences, raise_fence};

use crate::server::{FIT, Server, value, wanted_as};

const TABLES: &str = "
    CREATE TABLE plain (id serial PRIMARY KEY, v text);
    CREATE TABLE \"Left \"\"out\" (id int PRIMARY KEY);
    CREATE TABLE parts (id int, k int) PARTITION BY RANGE (k);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE SEQUENCE down INCREMENT BY -1 MINVALUE -1000000;";

#[tokio::test]
async fn a_fenced_node_takes_only_what_is_applied() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client.batch_execute(TABLES).await.unwrap();
        install(&mut client, &wanted_as("n2", 1)).await.unwrap();
        let dump = server.dump("app").await;
        let exclude = ["public.Left*".parse().unwrap()];
        assert_eq!(raise_fence(&mut client, &exclude).await.unwrap(), 3);
        assert_eq!(raise_fence(&mut client, &exclude).await.unwrap(), 0);
        let refused = [
            "INSERT INTO plain (v) VALUES ('a')",
            "UPDATE plain SET v = 'b'",
            "DELETE FROM plain",
            "TRUNCATE plain",
            "INSERT INTO parts VALUES (1, 1)",
            "INSERT INTO parts_1 VALUES (1, 1)",
        ];
        let application = server.connect("app").await;
        for statement in refused {
            let error = application.batch_execute(statement).await.unwrap_err();
            assert_eq!(error.code().unwrap().code(), "25006", "{statement}: {error}");
        }
        application
            .batch_execute("INSERT INTO \"Left \"\"out\" VALUES (1)")
            .await
            .unwrap();
        let apply = "SET session_replication_role = replica; INSERT INTO parts VALUES (1, 1); INSERT INTO plain (v) VALUES ('a')";
        application.batch_execute(apply).await.unwrap();
        application
            .batch_execute("RESET session_replication_role")
            .await
            .unwrap();
        assert_eq!(lower_fence(&mut client).await.unwrap(), 3);
        application.batch_execute(refused[0]).await.unwrap();
        assert_eq!(value::<i64>(&client, "SELECT count(*) FROM plain").await, 2);
        let schema = |dump: &str| dump.matches("TRIGGER").count();
        assert_eq!(schema(&server.dump("app").await), schema(&dump));
    }
}

#[tokio::test]
async fn sequences_pass_what_was_handed_out_elsewhere_and_stay_apart() {
    for server in Server::each(FIT) {
        let mut donor = server.database("donor").await;
        donor.batch_execute(TABLES).await.unwrap();
        donor
            .batch_execute("INSERT INTO plain (v) SELECT 'x' FROM generate_series(1, 100); SELECT nextval('down')")
            .await
            .unwrap();
        install(&mut donor, &wanted_as("n1", 0)).await.unwrap();
        donor.batch_execute("INSERT INTO plain (v) VALUES ('y')").await.unwrap();
        let drawn = drawn_sequences(&donor).await.unwrap();
        assert_eq!(drawn.len(), 2, "{drawn:?}");

        let mut joiner = server.database("joiner").await;
        joiner.batch_execute(TABLES).await.unwrap();
        install(&mut joiner, &wanted_as("n2", 1)).await.unwrap();
        pass_sequences(&mut joiner, &drawn).await.unwrap();
        let (theirs, ours) = ("SELECT last_value FROM plain_id_seq", "SELECT nextval('plain_id_seq')");
        let (theirs, first): (i64, i64) = (value(&donor, theirs).await, value(&joiner, ours).await);
        let own: i64 = value(&donor, ours).await;
        assert!(
            first > theirs && first > 100 && first != own,
            "{first} after {theirs}, beside {own}"
        );
        assert!(value::<i64>(&joiner, "SELECT nextval('down')").await < -1);

        // What is behind, or does not exist here, changes nothing.
        let behind = Drawn {
            schema: "public".to_owned(),
            name: "plain_id_seq".to_owned(),
            last: 7,
        };
        let unknown = Drawn {
            name: "nowhere".to_owned(),
            ..behind.clone()
        };
        pass_sequences(&mut joiner, &[behind, unknown]).await.unwrap();
        assert!(value::<i64>(&joiner, ours).await > first);
    }
}
