/** The stores that a new program can keep its runs in. */

/** The name of a World. */
export type WorldName = "sqlite" | "postgres" | "redis" | "mongodb";

/** How a program uses a World. */
export interface WorldChoice {
  readonly label: string;
  readonly hint: string;
  /** The package to install beside `perdure`; SQLite comes with it. */
  readonly package: string | undefined;
  /** The environment variable with the address of the server, and an example for a server on this machine. */
  readonly address: { readonly variable: string; readonly example: string } | undefined;
  /** The module that configures it: `src/perdure.ts` of the program. */
  readonly module: string;
}

/** Every World, by name. */
export const WORLDS: Readonly<Record<WorldName, WorldChoice>> = {
  sqlite: {
    label: "SQLite",
    hint: "a file beside the program, nothing to install",
    package: undefined,
    address: undefined,
    module: `import { configure, sqliteWorld } from "perdure/runtime";

// Runs are kept in .perdure/perdure.db, and executed in this process.
configure({ world: sqliteWorld() });
`,
  },
  postgres: server(
    "Postgres",
    "postgres",
    "DATABASE_URL",
    "postgres://postgres:postgres@localhost:5432/postgres",
  ),
  redis: server("Redis", "redis", "REDIS_URL", "redis://localhost:6379"),
  mongodb: server("MongoDB", "mongodb", "MONGODB_URL", "mongodb://localhost:27017/perdure"),
};

function server(
  label: string,
  name: Exclude<WorldName, "sqlite">,
  variable: string,
  example: string,
): WorldChoice {
  return {
    label,
    hint: `a server that you run, at ${variable}`,
    package: `@perdure/world-${name}`,
    address: { variable, example },
    module: `import { ${name}World } from "@perdure/world-${name}";
import { configure } from "perdure/runtime";

const url = process.env.${variable};
if (url === undefined) throw new Error("${variable} is not set: write the address of your ${label} into .env");

// Runs are kept there. \`worker: true\` executes them in this process; without it, workers in other processes do.
configure({ world: ${name}World({ url }), worker: true });
`,
  };
}
