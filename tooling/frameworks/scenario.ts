// The one scenario of every framework: customers are charged through an HTTP route while the process is killed.

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { type Entries, type Ledger, openLedger } from "./ledger.ts";
import { startServer, until } from "./server.ts";

/** By name what the killed process was doing for each: nothing any more, asking for the receipt, asking for the charge. */
const customers = ["done_1", "done_2", "receipt_1", "receipt_2", "charge_1", "charge_2"];

export interface Scenario {
  readonly project: string;
  /** The command that starts the server; `PORT` is replaced in it. */
  readonly start: readonly string[];
  /** Whether a server goes on with its runs before anybody calls it. */
  readonly resumesAlone: boolean;
}

export async function survivesKill({ project, start, resumesAlone }: Scenario): Promise<void> {
  const ledger = await openLedger();
  const env = { CHARGES_DB: await emptyDatabase(project), LEDGER_URL: ledger.url };
  try {
    ledger.hold(
      (kind, customer) =>
        (kind === "/receipts" && customer.startsWith("receipt")) ||
        (kind === "/charges" && customer.startsWith("charge")),
    );
    const first = await startServer(project, start, env);
    const asked = customers.map((customer) => charge(first.url, customer).catch(() => "cut off"));
    try {
      const done = await Promise.all(asked.slice(0, 2));
      expect(done).toEqual([
        expect.objectContaining({ customer: "done_1" }),
        expect.objectContaining({ customer: "done_2" }),
      ]);
      await until(() => ledger.held() === 4);
    } finally {
      await first.kill();
    }
    expect((await Promise.all(asked)).slice(2)).toEqual(Array(4).fill("cut off"));
    ledger.release();

    const second = await startServer(project, start, env);
    try {
      // Each was asked for once more, or for the first time.
      if (resumesAlone) await until(() => requests(ledger.entries, "/receipts") === 8);
      const answers = await Promise.all(customers.map((customer) => charge(second.url, customer)));
      expect(answers).toEqual(
        customers.map((customer) => ({
          customer,
          charge: `ch_${onlyKey(ledger.entries, `/charges ${customer}`)}`,
          receipt: `re_${onlyKey(ledger.entries, `/receipts ${customer}`)}`,
        })),
      );
    } finally {
      await second.kill();
    }
    // Only what was under way when the process was killed was asked for again.
    const repeated = [...ledger.entries].filter(([, keys]) => [...keys.values()].some((times) => times > 1));
    expect(repeated.map(([what]) => what).sort()).toEqual([
      "/charges charge_1",
      "/charges charge_2",
      "/receipts receipt_1",
      "/receipts receipt_2",
    ]);
  } finally {
    ledger.close();
  }
}

/** A customer is charged by a form of the page, as a browser without JavaScript sends it. */
export async function chargesByForm({ project, start }: Pick<Scenario, "project" | "start">): Promise<void> {
  await served({ project, start }, async (url, ledger) => {
    const page = await (await fetch(url)).text();
    const [, action = "no action"] = /name="(\$ACTION_ID_\w+)"/.exec(page) ?? [];
    const form = new FormData();
    form.set(action, "");
    form.set("customer", "by_form");
    expect((await fetch(url, { method: "POST", body: form })).status).toBe(200);
    await until(() => requests(ledger.entries, "/receipts by_form") === 1);
  });
}

/** A development server executes a workflow's text of now, whichever bundles have loaded it before. */
export async function followsEdits({ project, start }: Pick<Scenario, "project" | "start">): Promise<void> {
  const file = join(project, "workflows/charge.ts");
  const text = await readFile(file, "utf8");
  await served({ project, start, development: true }, async (url) => {
    expect(await charge(url, "before")).toEqual({
      customer: "before",
      charge: expect.any(String),
      receipt: expect.any(String),
    });
    await writeFile(file, text.replace("return { customer,", 'return { edited: "yes", customer,'));
    let tries = 0;
    await until(async () => {
      const answer = await charge(url, `after_${++tries}`);
      return (answer as { edited?: string }).edited === "yes";
    });
  });
}

/** Has a server, with a database of its own, as long as it is used. */
async function served(
  { project, start, development = false }: Pick<Scenario, "project" | "start"> & { development?: boolean },
  use: (url: string, ledger: Ledger) => Promise<void>,
): Promise<void> {
  const ledger = await openLedger();
  const env = {
    CHARGES_DB: await emptyDatabase(project),
    LEDGER_URL: ledger.url,
    ...(development && { NODE_ENV: "development" }),
  };
  const server = await startServer(project, start, env);
  try {
    await use(server.url, ledger);
  } finally {
    await server.kill();
    ledger.close();
  }
}

async function emptyDatabase(project: string): Promise<string> {
  const database = join(project, "charges.db");
  for (const suffix of ["", "-wal", "-shm"]) await rm(database + suffix, { force: true });
  return database;
}

async function charge(url: string, customer: string): Promise<unknown> {
  const response = await fetch(`${url}/charge`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ customer, amount: 4200 }),
  });
  if (!response.ok) throw new Error(`POST /charge answered ${response.status}: ${await response.text()}`);
  return await response.json();
}

function requests(entries: Entries, kind: string): number {
  const of = [...entries].filter(([what]) => what.startsWith(kind));
  return of.flatMap(([, keys]) => [...keys.values()]).reduce((sum, times) => sum + times, 0);
}

/** The one key under which it came: one charge. */
function onlyKey(entries: Entries, what: string): string {
  const keys = [...(entries.get(what)?.keys() ?? [])];
  expect(keys, what).toHaveLength(1);
  return keys[0] ?? "";
}
