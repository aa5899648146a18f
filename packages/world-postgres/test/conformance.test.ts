import { describeWorld } from "@perdure/world-testkit";
import pg from "pg";
import { postgresWorld } from "../src/index.ts";
import { dropSchema, newSchema, serverUrl, superuser } from "./store.ts";

const url = await serverUrl();

describeWorld({
  name: "postgres",
  async create() {
    const schema = newSchema();
    return {
      open: async (options) => postgresWorld({ url, schema, clock: "caller", maxConnections: 3, ...options }),
      openByOwnClock: async () => postgresWorld({ url, schema, maxConnections: 3 }),
      // Each operation is one statement, or one transaction that ends with its connection.
      kill: (world) => world.close(),
      stored: async () => {
        const admin = await superuser();
        const { rows } = await admin.query(`
          SELECT (SELECT count(*)::int FROM ${schema}.events) AS events, (SELECT count(*)::int FROM ${schema}.mail) AS messages,
            (SELECT count(*)::int FROM ${schema}.records) AS records`);
        return rows[0];
      },
      async begin() {
        const client = new pg.Client(url);
        await client.connect();
        await client.query("BEGIN");
        const end = async (how: string) => {
          await client.query(how);
          await client.end();
        };
        return { transaction: client, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
      },
      destroy: () => dropSchema(schema),
    };
  },
});
