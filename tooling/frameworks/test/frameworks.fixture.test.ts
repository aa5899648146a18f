import { frameworks } from "../fixtures.ts";
import { testEach } from "../framework-tests.ts";

// Those that take minutes: `npm run test:frameworks` alone runs them.

testEach(frameworks.filter(({ light }) => !light));
