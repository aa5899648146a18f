/** The programs that can be made: each is a folder of `templates/`. */

/** The name of a template. */
export type TemplateName = "node" | "hono" | "next";

/** What a template is, and how its first charge is made. */
export interface Template {
  readonly label: string;
  readonly hint: string;
  /** Commands, after the install, that make the first charge. */
  readonly next: readonly string[];
}

/** Every template, by name. */
export const TEMPLATES: Readonly<Record<TemplateName, Template>> = {
  node: { label: "Plain Node", hint: "a program that charges once, whatever happens", next: ["npm start"] },
  hono: {
    label: "Hono",
    hint: "an HTTP server whose route starts workflows",
    next: ["npm start", "curl -X POST http://localhost:3000/charges/order_1   (in another terminal)"],
  },
  next: {
    label: "Next.js",
    hint: "route handlers that start workflows, a page that lists them",
    next: ["npm run dev", "curl -X POST http://localhost:3000/charges/order_1   (in another terminal)"],
  },
};
