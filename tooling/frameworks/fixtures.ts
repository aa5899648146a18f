// Every framework: its fixture, its own command to build, and how its server starts.

import type { Fixture } from "./project.ts";

export interface Framework extends Fixture {
  readonly name: string;
  /** Whether it is installed and built within some seconds, so that `npm run test:fixtures` takes it along. */
  readonly light?: true;
  readonly build?: readonly (readonly string[])[];
  readonly env?: Readonly<Record<string, string>>;
  readonly start: readonly string[];
  /** Whether the server goes on with its runs before anybody calls it. */
  readonly resumesAlone: boolean;
  /** The folder of the build that is taken elsewhere before the server starts: nothing else of the project is found there. */
  readonly moved?: string;
  /** Whether its page has a form with a server action. */
  readonly form?: boolean;
  /** The command of the development server, where modules are evaluated again that were edited. */
  readonly dev?: readonly string[];
  /** The command of the fixture's own tests. */
  readonly tests?: readonly string[];
}

const next = {
  from: "next",
  sources: ".",
  start: ["next", "start", "-p", "PORT"],
  resumesAlone: true,
  form: true,
};

export const frameworks: readonly Framework[] = [
  {
    ...next,
    name: "next-16-turbopack",
    build: [["next", "build"]],
    dev: ["next", "dev", "-p", "PORT"],
  },
  {
    ...next,
    name: "next-16-webpack-standalone",
    env: { NEXT_OUTPUT: "standalone" },
    build: [["next", "build", "--webpack"]],
    start: ["node", "server.js"],
    moved: ".next/standalone",
  },
  {
    ...next,
    name: "next-15-turbopack-standalone",
    versions: { next: "15.5.29" },
    env: { NEXT_OUTPUT: "standalone" },
    build: [["next", "build", "--turbopack"]],
    start: ["node", "server.js"],
    moved: ".next/standalone",
    dev: ["next", "dev", "--turbopack", "-p", "PORT"],
  },
  {
    ...next,
    name: "next-15-webpack",
    versions: { next: "15.5.29" },
    build: [["next", "build"]],
    dev: ["next", "dev", "-p", "PORT"],
  },
  ...["hono", "express", "fastify", "koa"].map((name) => ({
    name,
    light: true as const,
    from: "node",
    sources: "src",
    start: ["node", "--import", "perdure/register", `src/${name}.ts`],
    resumesAlone: true,
    ...(name === "hono" && { tests: ["vitest", "run"] }),
  })),
  {
    name: "sveltekit",
    light: true,
    from: "sveltekit",
    sources: "src",
    build: [["vite", "build"]],
    start: ["node", "build"],
    resumesAlone: true,
    tests: ["vitest", "run"],
  },
  {
    name: "astro",
    from: "astro",
    sources: "src",
    build: [["astro", "build"]],
    start: ["node", "dist/server/entry.mjs"],
    resumesAlone: false,
    tests: ["vitest", "run"],
  },
  {
    name: "react-router",
    light: true,
    from: "react-router",
    sources: "app",
    build: [["react-router", "build"]],
    start: ["react-router-serve", "build/server/index.js"],
    resumesAlone: true,
    tests: ["vitest", "run"],
  },
  {
    name: "nitro",
    light: true,
    from: "nitro",
    sources: ".",
    build: [["nitro", "build"]],
    start: ["node", ".output/server/index.mjs"],
    resumesAlone: true,
  },
  {
    name: "nuxt",
    from: "nuxt",
    sources: "server",
    build: [["nuxt", "build"]],
    start: ["node", ".output/server/index.mjs"],
    resumesAlone: true,
    tests: ["vitest", "run"],
  },
  {
    name: "tanstack-start",
    light: true,
    from: "tanstack-start",
    sources: "src",
    build: [["vite", "build"]],
    start: ["srvx", "--prod", "dist/server/server.js"],
    resumesAlone: true,
    tests: ["vitest", "run"],
  },
  {
    name: "nest-tsc",
    from: "nest",
    sources: "src",
    build: [["nest", "build"]],
    start: ["node", "--import", "perdure/register", "dist/main.js"],
    resumesAlone: true,
    tests: ["vitest", "run"],
  },
  {
    name: "nest-swc",
    light: true,
    from: "nest",
    sources: "src",
    build: [["nest", "build", "-b", "swc"]],
    start: ["node", "--import", "perdure/register", "dist/main.js"],
    resumesAlone: true,
  },
];
