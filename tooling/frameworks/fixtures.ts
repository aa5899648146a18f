// Every framework: its fixture, its own command to build, and how its server starts.

import type { Fixture } from "./project.ts";

export interface Framework extends Fixture {
  readonly name: string;
  readonly build?: readonly (readonly string[])[];
  readonly env?: Readonly<Record<string, string>>;
  readonly start: readonly string[];
  /** Whether the server goes on with its runs before anybody calls it. */
  readonly resumesAlone: boolean;
  /** The command of the fixture's own tests. */
  readonly tests?: readonly string[];
}

export const frameworks: readonly Framework[] = [
  {
    name: "next-16-turbopack",
    from: "next",
    sources: ".",
    build: [["next", "build"]],
    start: ["next", "start", "-p", "PORT"],
    resumesAlone: true,
  },
  {
    name: "next-16-webpack",
    from: "next",
    sources: ".",
    build: [["next", "build", "--webpack"]],
    start: ["next", "start", "-p", "PORT"],
    resumesAlone: true,
  },
  {
    name: "next-15-turbopack",
    from: "next",
    sources: ".",
    versions: { next: "15.5.29" },
    build: [["next", "build", "--turbopack"]],
    start: ["next", "start", "-p", "PORT"],
    resumesAlone: true,
  },
  {
    name: "next-15-webpack",
    from: "next",
    sources: ".",
    versions: { next: "15.5.29" },
    build: [["next", "build"]],
    start: ["next", "start", "-p", "PORT"],
    resumesAlone: true,
  },
  ...["hono", "express", "fastify", "koa"].map((name) => ({
    name,
    from: "node",
    sources: "src",
    start: ["node", "--import", "perdure/register", `src/${name}.ts`],
    resumesAlone: true,
    ...(name === "hono" && { tests: ["vitest", "run"] }),
  })),
  {
    name: "sveltekit",
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
    from: "react-router",
    sources: "app",
    build: [["react-router", "build"]],
    start: ["react-router-serve", "build/server/index.js"],
    resumesAlone: true,
    tests: ["vitest", "run"],
  },
  {
    name: "nitro",
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
    from: "nest",
    sources: "src",
    build: [["nest", "build", "-b", "swc"]],
    start: ["node", "--import", "perdure/register", "dist/main.js"],
    resumesAlone: true,
  },
];
