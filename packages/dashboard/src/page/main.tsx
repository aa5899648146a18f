import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/lists.css";
import "./styles/run.css";
import "./styles/values.css";
import "./styles/charts.css";
import { App } from "./app.tsx";
import { loadInfo } from "./info.ts";
import { followLinks } from "./navigation.ts";
import { readTheme } from "./theme.ts";

readTheme();
followLinks();
void loadInfo();
const place = document.getElementById("page");
if (place !== null) render(<App />, place);
