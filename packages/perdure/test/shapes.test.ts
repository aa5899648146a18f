import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import perdure from "perdure/esbuild";
import { expect, test } from "vitest";
import { place } from "./process.ts";

// Every shape of step that the compiler takes, executed; and replayed in a process that has executed none of them.

const register = import.meta.resolve("perdure/register");
const LEASE = 1_000;

test("steps of every shape, and functions as values, survive a crash", async () => {
  const here = place();
  const file = fileURLToPath(new URL("processes/shapes/run.ts", import.meta.url));
  const flags = ["--disable-warning=PerdureWarning", "--import", register];
  const first = here.startFile(file, { args: [LEASE, "start"], flags });
  await first.line("at the gate");
  first.signal("SIGKILL");
  here.open("shapes");
  const second = here.startFile(file, { args: [LEASE], flags });
  const line = await second.line((each) => each.startsWith("result "));
  expect(JSON.parse(line.slice("result ".length))).toEqual([
    "a:11",
    "saved s:2",
    1,
    "hidden",
    ["rain in Oslo", "sent to bob"],
    2,
    6,
    2,
    ["line 0", "line 1"],
    "line 0",
    3,
    4,
    8,
    "a:2",
    "a:3",
    101,
    4,
    true,
    true,
    true,
    ["child:102", ["child:102", null]],
    105,
    "z:1",
  ]);
  const once = here
    .ledger()
    .filter((entry) => !entry.startsWith("add") && !entry.startsWith("Account#charge"));
  expect(once.toSorted()).toEqual([
    "Account#balance a",
    "Account#hidden a",
    "Account#limit= a 5",
    "bank.fee",
    "bank.quote",
    "callInStep",
    "callInStep",
    "callInStep",
    "choose",
    "lines",
    "lines",
    "mail bob",
    "nested",
    "payer a",
    "payer a",
    "plain",
    "weather Oslo",
  ]);
});

test("namespaces, parameter properties and `using`, which Node does not run by itself, run from a bundle", async () => {
  const here = place();
  const outfile = join(here.directory, "bundled.mjs");
  await build({
    absWorkingDir: join(import.meta.dirname, ".."),
    entryPoints: ["test/processes/shapes/bundled.ts"],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    logLevel: "silent",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire("/");' },
    plugins: [perdure() as Plugin],
  });
  const running = here.startFile(outfile);
  expect(await running.line((each) => each.startsWith("result"))).toBe(
    'result {"result":[2,"loan","hello from Ann"],"replayed":"returned","unmatched":[]}',
  );
  expect(await running.line((each) => each.startsWith("steps"))).toBe(
    "steps Bank.charge,Bank.Loans.charge,Teller#greet",
  );
  await running.end();
});
