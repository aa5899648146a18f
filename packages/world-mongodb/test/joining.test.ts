import { mongodb } from "@perdure/testbed/mongodb";
import { describeWorld } from "@perdure/world-testkit";
import { afterAll } from "vitest";
import { serverTitle, targetOn } from "./store.ts";

/** Transactions of the program's own that starts and messages join: on a replica set, which has them. */

const server = await mongodb({ replicaSet: true });
afterAll(server.stop);

describeWorld({
  name: `${serverTitle(server)}, a replica set`,
  laws: ["joining"],
  create: async () => targetOn(server.url),
});
