import { deepEqual, equal } from "node:assert/strict";
import type { Law } from "../law.ts";
import { listAll, newRecord, putRecord, writeOne, writing } from "../record-acts.ts";
import { bytesOf, START } from "../requests.ts";
import { same } from "../same.ts";

/** Listing records by prefix: all that begin with it and no others, each once. */
export const recordListing: Law = {
  name: "record-listing",
  cases: {
    "a prefix is compared exactly": async (stage) => {
      const world = await stage.open();
      const prefixes = [
        "",
        "a",
        "A",
        "a%",
        "a_",
        "a\\",
        "a*",
        "a?",
        "a[",
        "[a-z]",
        "^a",
        "é",
        "e",
        "\0",
        "a\0",
        "\u0001",
      ];
      const unusual = [
        "🔑",
        "\ud7ff",
        "\ue000",
        "\ufdd0",
        "\uffff",
        "\u{10ffff}",
        "a\u{10ffff}",
        "\u{10ffff}\u{10ffff}",
      ];
      const all = [...prefixes, ...unusual];
      const keys = [
        ...new Set(
          all.flatMap((prefix) => [
            prefix,
            `${prefix}0`,
            `${prefix}\0x`,
            `${prefix}\u{10ffff}`,
            `b${prefix}`,
          ]),
        ),
      ];
      await world.writeRecords(
        keys.map((key) => newRecord(key, key)),
        START,
      );
      for (const prefix of all) {
        const expected = keys.filter((key) => key.startsWith(prefix));
        for (const limit of [3, expected.length, 1_000]) {
          const found = await listAll(world, prefix, limit);
          deepEqual(found.map(({ key }) => key).sort(), expected.toSorted(), JSON.stringify(prefix));
          for (const { key, value } of found) same(value, bytesOf(key));
        }
      }
    },

    "pages are as long as asked for, and what is written meanwhile hides nothing": async (stage) => {
      const world = await stage.open();
      const keys = ["p1", "p3", "p5", "p7", "p9", "q"];
      const versions = new Map<string, string>();
      for (const key of keys) versions.set(key, await putRecord(world, key, key));
      const first = await world.listRecords({ prefix: "p", limit: 2, now: START });
      equal(first.records.length, 2);
      const last = first.records[1]?.key ?? "";
      await writeOne(world, writing(last, versions.get(last) ?? null, "", 0));
      for (const key of ["p", "p0"]) await putRecord(world, key, key);
      await putRecord(world, "p90", "p90");
      const second = await world.listRecords({
        prefix: "p",
        limit: 100,
        cursor: first.cursor ?? "",
        now: START,
      });
      equal(second.cursor, null);
      const seen = [...first.records, ...second.records].map(({ key }) => key);
      equal(new Set(seen).size, seen.length, "no record twice");
      for (const key of keys.slice(0, 5)) equal(seen.includes(key), true, key);
      equal(seen.includes("q"), false);
      const exactly = await world.listRecords({ prefix: "p9", limit: 2, now: START });
      deepEqual([exactly.records.length, exactly.cursor], [2, null]);
      deepEqual(await world.listRecords({ prefix: "r", limit: 2, now: START }), {
        records: [],
        cursor: null,
      });
    },
  },
};
