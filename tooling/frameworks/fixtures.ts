// Every framework: its fixture, its own command to build, and how its server starts.

import type { Fixture } from "./project.ts";

export interface Framework extends Fixture {
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
];
