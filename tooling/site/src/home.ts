/** The front page of the site, as VitePress's theme takes it. */

const home = {
  layout: "home",
  hero: {
    name: "Perdure",
    text: "Durable workflows on the database you already run",
    tagline:
      "Ordinary async functions that survive crashes, deploys and retries. A library for TypeScript, no server to install.",
    actions: [
      { theme: "brand", text: "Start in five minutes", link: "/get-started" },
      { theme: "alt", text: "How it works", link: "/how-it-works" },
    ],
  },
  features: [
    {
      title: "Nothing happens twice",
      details:
        "Every step has one id over all its attempts. Pass it on as the idempotency key, and a charge is made once, whatever crashed.",
      link: "/idempotency",
    },
    {
      title: "Your store, your process",
      details:
        "SQLite is embedded and the default. Postgres, Redis and MongoDB are servers that you may already run. Workers are a part of your program.",
      link: "/packages/world-sqlite",
    },
    {
      title: "Waits for days without a process",
      details:
        "Sleeps, webhooks and approvals cost nothing while they wait, and go on in whichever process is there.",
      link: "/guides/approvals",
    },
    {
      title: "Says what it does not promise",
      details: "What is promised, what is proven on which server, and what no store can promise.",
      link: "/reliability",
    },
  ],
};

/** The page's Markdown: all of it is front matter, in YAML's subset JSON. */
export const HOME: string = `---\n${JSON.stringify(home, null, 2)}\n---\n`;
