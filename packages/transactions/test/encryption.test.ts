import { step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { configure, shutdown } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import Libsql from "libsql";
import { expect, onTestFinished, test } from "vitest";
import { migration, transactional } from "../src/index.ts";
import { kyselyOnSqlite } from "./kysely-subjects.ts";
import { opened, TABLE } from "./programs.ts";
import { sqliteFile } from "./sqlite-file.ts";

test("results in the program's database are encrypted where the run is, and come back for a later attempt", async () => {
  const file = sqliteFile(`${TABLE}; ${migration("sqlite")}`);
  onTestFinished(() => file.remove());
  const subject = kyselyOnSqlite({ url: file.path, keys: async (prefix) => file.keys(prefix) });
  const { database } = await opened(subject);
  const accounts = transactional(database);
  let calls = 0;
  let broken = true;
  const debit = step(
    "encryption//debit",
    async () => {
      const results = [
        await accounts.run(async (trx) => {
          calls++;
          await subject.insert(trx, "debited");
          return { secret: "planted" };
        }),
        await accounts.run(async () => undefined),
      ];
      if (broken) {
        broken = false;
        throw new Error("after the commit");
      }
      return results;
    },
    { backoff: () => 1 },
  );
  const flow = workflow("encryption//debits", async () => await debit());
  configure({ world: memoryWorld(), worker: true, encryption: { key: new Uint8Array(32).fill(7) } });
  onTestFinished(shutdown);
  expect(await (await start(flow, [])).returnValue).toEqual([{ secret: "planted" }, undefined]);
  expect(calls).toBe(1);
  expect(file.keys("debited")).toEqual(["debited"]);
  const raw = new Libsql(file.path);
  const { name } = raw
    .prepare("SELECT name FROM sqlite_master WHERE name LIKE 'perdure%' AND type = 'table'")
    .get() as {
    name: string;
  };
  const rows = raw.prepare(`SELECT result FROM ${name} ORDER BY id`).all() as { result: string | null }[];
  raw.close();
  expect(rows.map(({ result }) => result?.slice(0, 5) ?? null)).toEqual(["key1:", null]);
});
