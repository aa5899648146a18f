import { testEach } from "../framework-tests.ts";
import { frameworks } from "../fixtures.ts";

// Those that take minutes: `npm run test:frameworks` alone runs them.

testEach(frameworks.filter(({ light }) => !light));
