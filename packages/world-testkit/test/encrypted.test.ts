import { configure, getWorld } from "@perdure/core/runtime";
import { describeWorld } from "../src/index.ts";
import { memoryTarget } from "./memory-target.ts";

// A World is one with encryption in front of it as well: what it is given comes back, and its store's laws stay as they are.

const encryption = { key: new Uint8Array(32).fill(7), compressFrom: 64 };

describeWorld({
  name: "memory, encrypted",
  create: () =>
    memoryTarget(({ world }) => {
      configure({ world, worker: false, encryption });
      return getWorld();
    }),
});
