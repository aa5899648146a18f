/**
 * The command `perdure`: what it takes, and how it ends. It prints one line for what it did; what went wrong is one line on
 * stderr, without the password of a URL, and exit code 1.
 */
import { readFileSync } from "node:fs";
import { withoutPasswords } from "@perdure/core/world";
import { Command } from "commander";
import { type MigrateOptions, migrate } from "./cli/migrate.ts";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

const program = new Command("perdure")
  .description("Durable workflows on the database you already run.")
  .version(manifest.version)
  .configureOutput({ outputError: (text, write) => write(withoutPasswords(text)) });

program
  .command("migrate")
  .description("Create the tables of a Postgres World, or bring them up to date.")
  .option(
    "--url <url>",
    "where the database is, postgres://… (default: the environment variable DATABASE_URL)",
  )
  .option("--schema <name>", "the schema that belongs to Perdure (default: perdure)")
  .option("--namespace <name>", "the app, where several share the schema (default: none)")
  .action(async ({ url = process.env.DATABASE_URL, ...options }: Partial<MigrateOptions>) => {
    console.log(await migrate({ url: url ?? "", ...options }));
  });

try {
  await program.parseAsync();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(withoutPasswords(message.replaceAll(/\s*\n\s*/g, " ")));
  process.exitCode = 1;
}
