/**
 * The command `perdure`: what it takes, and how it ends. What went wrong is one line on stderr, without the password of a URL; the exit
 * codes are in `cli/errors.ts`.
 */
import "./node-version.ts";
import { readFileSync } from "node:fs";
import { shutdown } from "@perdure/core/runtime";
import { withoutPasswords } from "@perdure/core/world";
import { Command, Option } from "commander";
import { EXIT } from "./cli/errors.ts";
import type { PlaceOptions } from "./cli/place.ts";
import { withSelection } from "./cli/selection.ts";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

const program = new Command("perdure")
  .description("Durable workflows on the database you already run.")
  .version(manifest.version)
  .showHelpAfterError("(--help shows what it takes)")
  .configureOutput({ outputError: (text, write) => write(withoutPasswords(text)) })
  .addHelpText(
    "after",
    `
Where the runs are: --url, else the environment variable PERDURE_WORLD_URL, else perdure.config.ts, else .perdure/perdure.db.
Exit codes: ${EXIT.done} done, ${EXIT.failed} not done or not all of it, ${EXIT.bad} done and the answer is bad (health, replay).
Completion: source <(perdure complete zsh), or bash, fish, powershell.`,
  );

/** A command with an example in its help. */
function command(usage: string, description: string, example: string): Command {
  return program.command(usage).description(description).addHelpText("after", `\nExample:\n  ${example}`);
}

/** One that opens a store. */
function storeCommand(usage: string, description: string, example: string): Command {
  return command(usage, description, example)
    .option("--url <url>", "where the runs are: sqlite:app.db, postgres://…, redis://… or mongodb://…")
    .option("--config <file>", "the configuration of the project (default: perdure.config.ts)")
    .option("--namespace <name>", "the app, where several share the store")
    .option("--schema <name>", "the schema of a Postgres World");
}

const json = ["--json", "print JSON"] as const;
const yes = ["-y, --yes", "do not ask"] as const;

withSelection(
  storeCommand("runs", "List runs, the newest first.", "perdure runs --status failed --since 24h"),
)
  .option("-n, --limit <count>", "at most so many", "50")
  .option(...json)
  .option("-f, --follow", "go on, and print each run again when its status changes")
  .action(async (options) => (await import("./cli/runs.ts")).runs(options));

storeCommand(
  "run <id>",
  "Show what a run did, why it ended, and what it waits for.",
  "perdure run wrun_01JG2…",
)
  .option("--journal", "print its events; with --json as a file for perdure replay")
  .option(...json)
  .action(async (id: string, options) => (await import("./cli/run.ts")).run(id, options));

storeCommand(
  "start <workflow> [args]",
  "Start a run; a worker executes it.",
  `perdure start charge '["cus_1", 4200]' --key invoice_17`,
)
  .option("--key <key>", "its idempotency key: the same key again gives the same run")
  .option("-a, --attribute <name=value...>", "attributes by which it is found")
  .option(...json)
  .action(async (workflow: string, args: string | undefined, options) =>
    (await import("./cli/acts.ts")).begin(workflow, args, options),
  );

function bulkCommand(usage: string, description: string, example: string): Command {
  return withSelection(storeCommand(usage, description, example))
    .option("--all", "every run that the command fits")
    .option(...yes)
    .option(...json);
}

/** Acts on runs, and what those are: loaded when they are needed. */
function acting(): Promise<[typeof import("./cli/acts.ts"), typeof import("@perdure/core/inspect")]> {
  return Promise.all([import("./cli/acts.ts"), import("@perdure/core/inspect")]);
}

bulkCommand("cancel [runs...]", "Ask runs to end.", "perdure cancel --workflow nightly --since 2h --yes")
  .option("--reason <text>", "why; those who wait for the run see it")
  .option("--terminate", "end them at once, without their code")
  .action(async (runs: string[], options) => {
    const [{ act }, { cancelling }] = await acting();
    await act(runs, options, cancelling(options));
  });

bulkCommand(
  "retry [runs...]",
  "Go on with runs that failed or diverged.",
  "perdure retry --status failed --since 24h",
)
  .option("--new-keys", "give the step that failed another stepId")
  .action(async (runs: string[], options) => {
    const [{ act }, { retrying }] = await acting();
    await act(runs, options, retrying({ keys: options.newKeys === true ? "new" : "keep" }));
  });

storeCommand(
  "fork <run>",
  "Make a run that goes on from before a step of another.",
  "perdure fork wrun_01JG2… --from-step step_mP…",
)
  .requiredOption("--from-step <id>", "the stepId of the first step that is executed again")
  .option("--args <json>", "other arguments, as a JSON array")
  .action(async (run: string, options) => (await import("./cli/acts.ts")).fork(run, options));

storeCommand(
  "resume <token> [payload]",
  "Send a payload, in JSON, to a hook.",
  `perdure resume approval_17 '{"approved": true}'`,
)
  .option("--key <key>", "the same key again delivers nothing more")
  .action(async (token: string, payload: string | undefined, options) =>
    (await import("./cli/acts.ts")).resume(token, payload, options),
  );

bulkCommand("wake [runs...]", "End the sleeps of runs now.", "perdure wake wrun_01JG2…").action(
  async (runs: string[], options) => {
    const [{ act }, { waking }] = await acting();
    await act(runs, options, waking);
  },
);

bulkCommand(
  "delete [runs...]",
  "Delete runs that have ended, with all that belongs to them.",
  "perdure delete wrun_01JG2…",
).action(async (runs: string[], options) => {
  const [{ act }, { deleting }] = await acting();
  await act(runs, options, deleting);
});

function listCommand(usage: string, description: string, example: string): Command {
  return storeCommand(usage, description, example)
    .option("--run <id>", "only those of this run")
    .option("-n, --limit <count>", "at most so many", "100")
    .option(...json);
}

listCommand(
  "hooks",
  "List the hooks that runs wait for, with their tokens.",
  "perdure hooks --run wrun_01JG2…",
).action(async (options) => (await import("./cli/store.ts")).hooks(options));

listCommand("keys", "List the idempotency keys that runs have.", "perdure keys").action(async (options) =>
  (await import("./cli/store.ts")).keys(options),
);

storeCommand("locks", "List the locks that runs have, and who waits.", "perdure locks")
  .option("--run <id>", "only those that this run has")
  .option(...json)
  .action(async (options) => (await import("./cli/store.ts")).locks(options));

storeCommand(
  "streams <run>",
  "List the streams of a run, or print what is in one.",
  "perdure streams wrun_01JG2… --read",
)
  .option("--read", "print its chunks, and those that come until it ends")
  .addOption(new Option("--stream <namespace>", "the namespace of the stream (default: the run's own)"))
  .option(...json)
  .action(async (run: string, { stream, ...options }) =>
    (await import("./cli/store.ts")).streams(run, { ...options, namespaceOf: stream }),
  );

storeCommand("workers", "List the workers that live, what they execute, and how they are.", "perdure workers")
  .option(...json)
  .action(async (options) => (await import("./cli/store.ts")).workers(options));

withSelection(storeCommand("stats", "Count runs by status.", "perdure stats --workflow charge --since 24h"))
  .option(...json)
  .action(async (options) => (await import("./cli/store.ts")).stats(options));

storeCommand(
  "health",
  `Tell whether the store and its workers are well; exit code ${EXIT.bad} if not.`,
  "perdure health --json",
)
  .option(...json)
  .action(async (options) => (await import("./cli/store.ts")).health(options));

storeCommand(
  "prune",
  "Delete runs that ended some time ago.",
  "perdure prune --older-than 30d --status completed",
)
  .requiredOption("--older-than <time>", "a length such as 30d, or a date")
  .addOption(
    new Option("-s, --status <status...>", "only of these statuses").choices([
      "completed",
      "failed",
      "cancelled",
    ]),
  )
  .option(...yes)
  .option(...json)
  .action(async (options) => (await import("./cli/store.ts")).prune(options));

command(
  "migrate",
  "Create the tables of a Postgres World, or bring them up to date.",
  "perdure migrate --url postgres://owner@host/database",
)
  .option(
    "--url <url>",
    "where the database is, postgres://… (default: PERDURE_WORLD_URL, else DATABASE_URL)",
  )
  .option("--schema <name>", "the schema that belongs to Perdure (default: perdure)")
  .option("--namespace <name>", "the app, where several share the schema (default: none)")
  .action(async ({ url, ...options }: Omit<PlaceOptions, "config">) => {
    const { migrate } = await import("./cli/migrate.ts");
    const place = url ?? process.env.PERDURE_WORLD_URL ?? process.env.DATABASE_URL ?? "";
    console.log(await migrate({ url: place, ...options }));
  });

storeCommand(
  "worker [files...]",
  "Execute the workflows of these modules until SIGTERM.",
  "perdure worker src/workflows.ts --health-port 8080",
)
  .option("--concurrency <count>", "how many steps run at once")
  .option("--health-port <port>", "answer GET / with the worker's health there: 200 or 503")
  .action(async (files: string[], options) => (await import("./cli/worker.ts")).worker(files, options));

storeCommand(
  "dev [files...]",
  "Execute the workflows of these modules, start again when they change, and serve the dashboard.",
  "perdure dev src/workflows.ts",
)
  .option("--port <port>", "where the dashboard is (default: the first free one from 4620 on)")
  .action(async (files: string[], options) => {
    const [{ dev }, { DashboardPart }] = await Promise.all([
      import("./cli/dev.ts"),
      import("./cli/dashboard.ts"),
    ]);
    await dev(files, options, [new DashboardPart(options, "may be made")]);
  });

storeCommand(
  "dashboard",
  "Serve the dashboard on this machine until a signal.",
  "perdure dashboard --read-only",
)
  .option("--port <port>", "where it listens (default: the first free one from 4620 on)")
  .option("--host <address>", "the address that it listens on (default: 127.0.0.1)")
  .option("--read-only", "show, and change nothing")
  .action(async (options) => (await import("./cli/dashboard.ts")).dashboard(options));

storeCommand(
  "replay [file]",
  `Replay journals against the code on this machine; exit code ${EXIT.bad} if a run would diverge, ${EXIT.failed} if no module has its workflow.`,
  "perdure replay --in-flight --code src/workflows.ts",
)
  .option("--in-flight", "the runs that have not ended (the default)")
  .option("--last <count>", "the newest runs, ended ones too")
  .option("-w, --workflow <id>", "only of this workflow: its id, or the name of its function")
  .option("--code <files...>", "the modules with the workflows (default: files of perdure.config.ts)")
  .option("--strict", "other arguments of a step are a divergence, too")
  .option(...json)
  .action(async (file: string | undefined, options) =>
    (await import("./cli/replay.ts")).replay(file, options),
  );

// Whoever reads the output may stop at any line, as head does: no more of it is needed then.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

try {
  if (process.argv[2] === "complete") {
    const { default: tab } = await import("@bomb.sh/tab/commander");
    tab(program);
  }
  await program.parseAsync();
  await shutdown();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(withoutPasswords(message.replaceAll(/\s*\n\s*/g, " ")));
  process.exitCode = EXIT.failed;
  await shutdown().catch(() => {});
}

// What the user's modules and steps keep open, such as a pool of connections or a body that ignores its signal, does not keep the command.
process.stdout.write("", () => process.exit());
