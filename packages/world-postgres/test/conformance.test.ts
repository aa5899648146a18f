import { describeWorld } from "@perdure/world-testkit";
import { postgresWorld } from "../src/index.ts";
import { dropSchema, newSchema, serverUrl } from "./store.ts";

const url = await serverUrl();

describeWorld({
  name: "postgres",
  async create() {
    const schema = newSchema();
    return {
      open: async (options) => postgresWorld({ url, schema, clock: "caller", maxConnections: 3, ...options }),
      // Each operation is one statement, or one transaction that ends with its connection.
      kill: (world) => world.close(),
      destroy: () => dropSchema(schema),
    };
  },
});
