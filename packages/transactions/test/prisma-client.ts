import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** A generated client of Prisma: made by its own generator when a test asks for it, beside the packages that it imports. */

const run = promisify(execFile);

type Client = new (
  options: object,
) => {
  $transaction<T>(work: (trx: never) => Promise<T>): Promise<T>;
  $disconnect(): Promise<void>;
};

const made = new Map<string, Promise<Client>>();

export function prismaClient(provider: "postgresql" | "sqlite"): Promise<Client> {
  const client = made.get(provider) ?? generate(provider);
  made.set(provider, client);
  return client;
}

async function generate(provider: string): Promise<Client> {
  const folder = join(import.meta.dirname, "../node_modules/.prisma-test", `${provider}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "schema.prisma"),
    `generator client {
      provider = "prisma-client"
      output = "./generated"
    }
    datasource db {
      provider = "${provider}"
    }
    model business {
      id String @id
    }`,
  );
  const cli = join(dirname(createRequire(import.meta.url).resolve("prisma/package.json")), "build/index.js");
  // The engine for migrations is downloaded by whoever needs it, and generating does not.
  const env = {
    ...process.env,
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    PRISMA_HIDE_UPDATE_MESSAGE: "1",
  };
  await run(process.execPath, [cli, "generate", "--schema", join(folder, "schema.prisma")], {
    cwd: folder,
    env,
  });
  const { PrismaClient } = await import(join(folder, "generated/client.ts"));
  return PrismaClient;
}
