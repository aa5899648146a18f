import { sharedMongodb } from "@perdure/testbed/mongodb";
import { describeWorld } from "@perdure/world-testkit";
import { serverTitle, targetOn } from "./store.ts";

const server = await sharedMongodb();

describeWorld({ name: serverTitle(server), timeout: 120_000, create: async () => targetOn(server.url) });
