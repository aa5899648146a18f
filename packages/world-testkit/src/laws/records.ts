import { deepEqual, equal } from "node:assert/strict";
import type { RecordWriteResult, StoredRecord, World } from "@perdure/core/world";
import type { Law, Stage } from "../law.ts";
import {
  listAll,
  newRecord,
  nextWriteId,
  putRecord,
  readOne,
  WRITTEN,
  writeOne,
  writing,
} from "../record-acts.ts";
import { bytesOf, START } from "../requests.ts";
import { same } from "../same.ts";
import { sendAndDie } from "./crash-points.ts";
import { STRINGS } from "./values.ts";

/** Compare-and-set of records: one writer gets through, whoever races, and knows it, however often it asks. */
export const records: Law = {
  name: "records",
  cases: {
    "a record is there once it is written": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      equal(await readOne(world, "a"), null);
      const write = newRecord("a", "value of a");
      same(await writeOne(world, write), WRITTEN);
      const record = { key: "a", version: write.writeId, value: bytesOf("value of a"), ttl: null };
      same(await other.readRecords(["b", "a", "a"], START), [null, record, record]);
      deepEqual([await world.readRecords([], START), await world.writeRecords([], START)], [[], []]);
    },

    "only the version that is there is replaced": async (stage) => {
      const world = await stage.open();
      const first = await putRecord(world, "a", "first");
      const present = await readOne(world, "a");
      for (const ifVersion of [null, nextWriteId(), ""]) {
        same(await writeOne(world, writing("a", ifVersion, "wrong")), {
          outcome: "conflict",
          record: present,
        });
      }
      same(await writeOne(world, writing("b", first, "nothing to replace")), NO_RECORD);
      same(await readOne(world, "a"), present);
      equal(await readOne(world, "b"), null);
      const second = writing("a", first, "second");
      same(await writeOne(world, second), WRITTEN);
      same(await readOne(world, "a"), { ...present, version: second.writeId, value: bytesOf("second") });
      same((await writeOne(world, writing("a", first, "late"))).outcome, "conflict");
    },

    "the same write sent again is written, once, while it is the last": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      const first = newRecord("a", "first", 1_000);
      const second = writing("a", first.writeId, "second", 1_000);
      for (const write of [first, second]) {
        same(await writeOne(world, write), WRITTEN);
        same(await writeOne(other, write, START + 400), WRITTEN);
        equal((await readOne(world, "a", START + 400))?.ttl, 600, "the second sending puts nothing off");
      }
      const record = await readOne(world, "a");
      same(await writeOne(world, first), { outcome: "conflict", record });
      same(await readOne(world, "a"), record);
    },

    "each write of a batch by itself, with the answers in its order": async (stage) => {
      const world = await stage.open();
      const [a, c] = [await putRecord(world, "a", "a"), await putRecord(world, "c", "c")];
      const record = await readOne(world, "c");
      const batch = [
        newRecord("d", "new"),
        newRecord("c", "conflict"),
        writing("a", a, "replaced"),
        writing("b", c, "nothing to replace"),
      ];
      const expected = [WRITTEN, { outcome: "conflict", record }, WRITTEN, NO_RECORD];
      same(await world.writeRecords(batch, START), expected);
      same(await world.writeRecords(batch, START), expected);
      const values = (await listAll(world, "")).map(({ key, value }) => [key, value]);
      same(values, [
        ["a", bytesOf("replaced")],
        ["c", bytesOf("c")],
        ["d", bytesOf("new")],
      ]);
    },

    "two writes of one key in one batch: one of them gets through": async (stage) => {
      const world = await stage.open();
      const batch = ["x", "a", "a", "a"].map((key) => newRecord(key, "twin"));
      const results = await world.writeRecords(batch, START);
      same(results[0], WRITTEN);
      equal(winners(results.slice(1)).length, 1);
      const record = await readOne(world, "a");
      equal(
        batch.some(({ writeId }) => writeId === record?.version),
        true,
      );
      for (const result of results) if (result.outcome === "conflict") same(result.record, record);
      const again = batch[1] ?? newRecord("a", "");
      const twice = await world.writeRecords([again, again], START);
      equal(twice[0]?.outcome, twice[1]?.outcome, "a write that is in the batch twice is one write");
    },

    "twelve writers make one record, ten times": async (stage) => {
      const worlds = await stage.openMany(4);
      for (let round = 0; round < 10; round++) {
        const key = `key-${round}`;
        const writes = Array.from({ length: 12 }, (_, index) => newRecord(key, `writer ${index}`));
        const results = await atOnce(
          worlds,
          writes.map((write) => (world) => writeOne(world, write)),
        );
        equal(winners(results).length, 1, `winners in round ${round}`);
        const record = await readOne(worlds[0] as World, key);
        equal(record?.version, writes[winners(results)[0] ?? 0]?.writeId);
        for (const result of results) if (result.outcome === "conflict") same(result.record, record);
      }
    },

    "fifty writers of one key lose no increment": async (stage) => {
      const worlds = await stage.openMany(5);
      const increment = async (world: World): Promise<void> => {
        let record = await readOne(world, "counter");
        for (;;) {
          const count = Number(record === null ? 0 : new TextDecoder().decode(record.value));
          const write = writing("counter", record?.version ?? null, String(count + 1));
          const result = await writeOne(world, write);
          if (result.outcome === "written") return;
          record = result.record;
        }
      };
      await atOnce(
        worlds,
        Array.from({ length: 50 }, () => increment),
      );
      same((await readOne(worlds[0] as World, "counter"))?.value, bytesOf("50"));
    },

    "batches in opposite orders wait for nobody for ever": async (stage) => {
      const worlds = await stage.openMany(4);
      const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
      let versions: (string | null)[] = keys.map(() => null);
      for (let round = 0; round < 5; round++) {
        const batches = worlds.map(() =>
          keys.map((key, index) => writing(key, versions[index] ?? null, `round ${round}`)),
        );
        const answers = await Promise.all(
          worlds.map(async (world, index) => {
            const batch = batches[index] ?? [];
            if (index % 2 === 0) return world.writeRecords(batch, START);
            return (await world.writeRecords(batch.toReversed(), START)).toReversed();
          }),
        );
        versions = keys.map((key, place) => {
          const [winner, ...others] = winners(answers.map((results) => results[place]));
          deepEqual(others, [], `one winner of ${key} in round ${round}`);
          return batches[winner ?? 0]?.[place]?.writeId ?? null;
        });
      }
      const found = await (worlds[0] as World).readRecords(keys, START);
      deepEqual(
        found.map((record) => record?.version),
        versions,
      );
    },

    "keys and versions are kept apart exactly": async (stage) => {
      const world = await stage.open();
      const writes = STRINGS.map((text) => ({ ...newRecord(text, text), writeId: `w${text}`.slice(0, 255) }));
      same(
        await world.writeRecords(writes, START),
        STRINGS.map(() => WRITTEN),
      );
      const found = await world.readRecords(STRINGS, START);
      for (const [index, text] of STRINGS.entries()) {
        const { writeId: version, value } = writes[index] ?? newRecord("", "");
        same(found[index], { key: text, version, value, ttl: null }, JSON.stringify(text));
      }
      const next = writes.map(({ key, writeId }) => ({
        ...writing(key, writeId, ""),
        writeId: `${key.slice(0, 200)}\0`,
      }));
      same(
        await world.writeRecords(next, START),
        STRINGS.map(() => WRITTEN),
      );
    },

    "all bytes, no bytes and five megabytes": async (stage) => {
      const world = await stage.open();
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      const large = new Uint8Array(5 * 1024 * 1024);
      for (let index = 0; index < large.length; index++) large[index] = index * 31 + (index >> 8) * 7;
      for (const [key, value] of [
        ["all", all],
        ["none", new Uint8Array(0)],
        ["large", large],
      ] as const) {
        const write = { ...newRecord(key, ""), value: value.slice() };
        same(await writeOne(world, write), WRITTEN);
        // The caller may use its bytes again.
        write.value.fill(0);
        same((await readOne(world, key))?.value, value);
        const conflict = await writeOne(world, newRecord(key, ""));
        same(conflict.outcome === "conflict" && conflict.record?.value, value);
        same((await world.listRecords({ prefix: key, limit: 2, now: START })).records[0]?.value, value);
      }
    },

    "a crash in: writeRecords": async (stage) => {
      const clean = await crashing(stage, "clean-", null);
      for (let point = 0; ; point++) {
        const crashed = await crashing(stage, `p${String(point).padStart(4, "0")}-`, point);
        same(crashed.answers, clean.answers, `crash point ${point}: the answers`);
        same(crashed.left, clean.left, `crash point ${point}: the records`);
        if (!crashed.died) return;
      }
    },
  },
};

const NO_RECORD: RecordWriteResult = { outcome: "conflict", record: null };

/** The places of the writes that got through. */
function winners(results: readonly (RecordWriteResult | undefined)[]): readonly number[] {
  return [...results.keys()].filter((index) => results[index]?.outcome === "written");
}

/** Does all at once, each on the next World in turn. */
function atOnce<T>(worlds: readonly World[], acts: readonly ((world: World) => Promise<T>)[]): Promise<T[]> {
  return Promise.all(acts.map((act, index) => act(worlds[index % worlds.length] as World)));
}

/** Every kind of write in one batch, whose sender dies at a point and sends it again; `null`: without dying. */
async function crashing(stage: Stage, prefix: string, point: number | null) {
  const world = await stage.open();
  const id = (name: string) => `${prefix}${name}`;
  const write = (key: string, writeId: string, ifVersion: string | null, ttl: number | null = null) => ({
    ...writing(id(key), ifVersion, writeId, ttl),
    writeId: id(writeId),
  });
  const there = [
    write("a", "a1", null),
    write("b", "b1", null, 100),
    write("c", "c1", null),
    write("d", "d1", null, 100),
  ];
  await world.writeRecords(there, START);
  const later = START + 100;
  const batch = [
    write("new", "n1", null),
    write("a", "a2", id("a1"), 1_000),
    write("b", "b2", null),
    write("c", "c2", null),
    write("d", "d2", id("d1")),
    write("e", "e1", null, 50),
  ];
  const send = (sender: World) => sender.writeRecords(batch, later);
  const died = point !== null && (await sendAndDie(stage, point, send));
  const other = await stage.open();
  const answers = (await send(other)).map((result) =>
    result.outcome === "conflict" ? { ...result, record: withoutPrefix(result.record, prefix) } : result,
  );
  const left = (await listAll(other, prefix, 100, later)).map((record) => withoutPrefix(record, prefix));
  return { answers, left, died };
}

function withoutPrefix(record: StoredRecord | null, prefix: string): unknown {
  return (
    record && {
      ...record,
      key: record.key.slice(prefix.length),
      version: record.version.slice(prefix.length),
    }
  );
}
