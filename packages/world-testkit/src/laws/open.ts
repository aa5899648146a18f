import { equal, match, rejects } from "node:assert/strict";
import { CONTRACT_VERSION, withoutPasswords } from "@perdure/core/world";
import { claimOne, createOne, leasedRun, rowOf } from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import { newRun } from "../requests.ts";
import { same } from "../same.ts";

/** `open`, `close` and what a World tells of itself. */
export const open: Law = {
  name: "open",
  cases: {
    "eight Worlds open a new store at once": async (stage) => {
      const worlds = await Promise.all(Array.from({ length: 8 }, () => stage.connect()));
      await Promise.all(worlds.map((world) => world.open()));
      const runs = worlds.map(() => newRun());
      await Promise.all(worlds.map((world, index) => createOne(world, runs[index] ?? newRun())));
      for (const world of worlds) {
        const rows = await world.getRuns(runs.map(({ runId }) => runId));
        equal(rows.filter((row) => row !== null).length, runs.length);
      }
    },

    "opening again changes nothing": async (stage) => {
      const world = await stage.open();
      await leasedRun(world);
      const before = await readStore(world);
      await world.open();
      await stage.open();
      same(await readStore(world), before);
    },

    "closing ends only the World: runs and leases stay": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await world.close();
      await world.close();
      const other = await stage.open();
      same(await rowOf(other, run.runId), run);
      equal(await claimOne(other), undefined, "the lease is still held");
    },

    "a World without streams refuses their verbs": async (stage) => {
      const world = await stage.open();
      if (world.capabilities.streams === true) return;
      const { runId } = await leasedRun(world);
      const stream = { runId, name: "answer" };
      const calls = [
        () => world.appendChunks([{ ...stream, writer: "a", n: 0, chunks: [] }]),
        () => world.readChunks({ ...stream, from: 0, limit: 1, byteLimit: 1 }),
        () => world.closeStream(stream),
        () => world.listStreams({ runId, limit: 1 }),
      ];
      for (const call of calls) await rejects(async () => call());
    },

    "name, version, capabilities and settings are told": async (stage) => {
      const world = await stage.open();
      match(world.name, /\S/);
      equal(world.contractVersion, CONTRACT_VERSION);
      const { durability, notifications, commitsInFlight, leaseKeeper } = world.capabilities;
      match(durability, /^(nothing|process|machine)$/);
      equal(typeof notifications, "boolean");
      equal(Number.isInteger(commitsInFlight) && commitsInFlight >= 1, true, "commitsInFlight");
      if (leaseKeeper !== null) {
        const { module, options } = await leaseKeeper();
        equal(URL.canParse(module), true, "the keeper's module is a URL");
        structuredClone(options);
      }
      for (const [name, setting] of Object.entries(world.describe())) {
        match(typeof setting, /^(string|number)$/);
        equal(
          String(setting) === withoutPasswords(String(setting)),
          true,
          `no password in setting "${name}"`,
        );
      }
    },
  },
};
