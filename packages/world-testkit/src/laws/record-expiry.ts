import { deepEqual, equal, ok } from "node:assert/strict";
import type { World } from "@perdure/core/world";
import type { Law } from "../law.ts";
import { listAll, newRecord, putRecord, readOne, WRITTEN, writeOne, writing } from "../record-acts.ts";
import { bytesOf, START } from "../requests.ts";
import { same } from "../same.ts";

const HOUR = 3_600_000;

/** A record that has expired is gone at once, for readers and writers, and its writer never writes over the next one. */
export const recordExpiry: Law = {
  name: "record-expiry",
  cases: {
    "a record is there for its ttl, and then for nobody": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const version = await putRecord(world, "a", "a", 1_000);
      await putRecord(world, "always", "always");
      same(await readOne(other, "a", START + 999), { key: "a", version, value: bytesOf("a"), ttl: 1 });
      equal((await listAll(other, "", 1, START + 999)).length, 2);
      for (const now of [START + 1_000, START + HOUR]) {
        equal(await readOne(other, "a", now), null);
        same(await writeOne(other, writing("a", version, "late"), now), {
          outcome: "conflict",
          record: null,
        });
        deepEqual(
          (await listAll(other, "", 1, now)).map(({ key, ttl }) => [key, ttl]),
          [["always", null]],
        );
      }
      await putRecord(other, "a", "again", null, START + 1_000);
      equal((await readOne(world, "a", START + HOUR))?.ttl, null);
    },

    "each write sets the ttl anew": async (stage) => {
      const world = await stage.open();
      let version = await putRecord(world, "a", "a", 1_000);
      for (const [ttl, now, left] of [
        [5_000, 500, 5_000],
        [null, 5_000, null],
        [10, HOUR, 10],
      ] as const) {
        const write = writing("a", version, "a", ttl);
        same(await writeOne(world, write, START + now), WRITTEN);
        equal((await readOne(world, "a", START + now))?.ttl, left);
        version = write.writeId;
      }
      equal(await readOne(world, "a", START + HOUR + 10), null);
    },

    "a write with ttl 0 deletes, and only what it was made for": async (stage) => {
      const world = await stage.open();
      const version = await putRecord(world, "a", "a");
      same((await writeOne(world, writing("a", "another version", "", 0))).outcome, "conflict");
      const deletion = writing("a", version, "", 0);
      same(await writeOne(world, deletion), WRITTEN);
      equal(await readOne(world, "a"), null);
      deepEqual(await listAll(world, ""), []);
      same(await writeOne(world, deletion), { outcome: "conflict", record: null });
      await putRecord(world, "a", "again");
      same((await writeOne(world, deletion)).outcome, "conflict");
      same((await readOne(world, "a"))?.value, bytesOf("again"));
    },

    "a slow writer never writes over a record that expired and was made again": async (stage) => {
      const [slow, quick] = (await stage.openMany(2)) as [World, World];
      const first = newRecord("lock", "slow", 1_000);
      same(await writeOne(slow, first), WRITTEN);
      const now = START + 1_000;
      const version = await putRecord(quick, "lock", "quick", 1_000, now);
      const record = await readOne(quick, "lock", now);
      equal(record?.version, version);
      // Its renewal, its first write sent again, and what it read before.
      for (const write of [writing("lock", first.writeId, "slow", 1_000), first, newRecord("lock", "slow")]) {
        same(await writeOne(slow, write, now), { outcome: "conflict", record });
      }
      same(await readOne(quick, "lock", now), record);
    },

    "twelve take over what has expired while its owner renews it: one gets it, ten times": async (stage) => {
      const worlds = await stage.openMany(4);
      for (let round = 0; round < 10; round++) {
        const key = `key-${round}`;
        const version = await putRecord(worlds[0] as World, key, "owner", 1_000);
        // The owner is the one to whom it has not expired yet, as far as it knows.
        const writes = Array.from({ length: 12 }, (_, index) =>
          index === 5 ? writing(key, version, "owner", 9_000) : newRecord(key, `taker ${index}`, 9_000),
        );
        const results = await Promise.all(
          writes.map((write, index) =>
            writeOne(worlds[index % 4] as World, write, index === 5 ? START + 999 : START + 1_000),
          ),
        );
        const written = writes.filter((_, index) => results[index]?.outcome === "written");
        equal(written.length, 1, `writes that got through in round ${round}`);
        equal((await readOne(worlds[0] as World, key, START + 1_000))?.version, written[0]?.writeId);
      }
    },

    "many that have expired hide none of those that have not": async (stage) => {
      const world = await stage.open();
      const keys = Array.from({ length: 300 }, (_, index) => `key-${String(index).padStart(3, "0")}`);
      await world.writeRecords(
        keys.map((key, index) => newRecord(key, key, index % 100 === 99 ? null : 1 + (index % 7))),
        START,
      );
      const lasting = ["key-099", "key-199", "key-299"];
      const now = START + 10;
      for (const limit of [1, 3, 100]) {
        deepEqual(
          (await listAll(world, "key-", limit, now)).map(({ key }) => key),
          lasting,
        );
      }
      // Writes remove what has expired, never what has not, and never what was made again.
      const expired = keys.filter((key) => !lasting.includes(key)).slice(0, 100);
      for (let round = 0; round < 5; round++) {
        const batch = expired.slice(round * 20, round * 20 + 20).map((key) => newRecord(key, "again", HOUR));
        const results = await world.writeRecords(batch, now);
        same(
          results,
          batch.map(() => WRITTEN),
        );
      }
      const found = await listAll(world, "", 50, now);
      equal(found.length, 103);
      equal(found.filter(({ ttl }) => ttl === HOUR).length, 100);
    },

    "expired records are removed by the writes that follow": async (stage) => {
      const world = await stage.open();
      const before = (await stage.stored()).records;
      for (let round = 0; round < 30; round++) {
        const batch = Array.from({ length: 10 }, (_, index) => newRecord(`${round} ${index}`, "a", 10));
        await world.writeRecords(batch, START + round * 10);
      }
      const left = (await stage.stored()).records - before;
      ok(
        left <= 60,
        `of 300 records that were written ten at a time, each for one round, ${left} are stored`,
      );
    },

    "expired records that one batch removes and another takes over": async (stage) => {
      const worlds = await stage.openMany(4);
      const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
      let now = START;
      for (let round = 0; round < 5; round++) {
        const answers = await Promise.all(
          worlds.map((world, index) => {
            const mine = index % 2 === 0 ? keys : keys.toReversed();
            return world.writeRecords(
              mine.map((key) => newRecord(key, String(index), 10)),
              now,
            );
          }),
        );
        const written = answers.flat().filter(({ outcome }) => outcome === "written");
        equal(written.length, keys.length, `writes that got through in round ${round}`);
        equal((await listAll(worlds[0] as World, "key-", 7, now)).length, keys.length);
        now += 10;
      }
    },
  },
};
