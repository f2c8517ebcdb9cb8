"""How a report looks: one style sheet, light and dark, screen and paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --ink: #1c1e21; --soft: #646a73; --line: #e4e6ea; --tint: #f6f7f9;
  --decided: #3b74c4; --undecided: #d9542f; --quantile: #1c1e21;
  --valid: #3b74c4; --refused: #c98a14; --invalid: #8a8f99; --unknown: #8b5fbf;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --ink: #e8eaed; --soft: #9aa1ab; --line: #2b2f36; --tint: #1c1f25;
    --decided: #6b9fe8; --undecided: #f07f5a; --quantile: #e8eaed;
    --valid: #6b9fe8; --refused: #e0ac4a; --invalid: #868d98; --unknown: #b491de;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 928px; margin: 0 auto; padding: 64px 24px 80px; }
h1 { margin: 0 0 4px; font-size: 30px; line-height: 1.2; font-weight: 650;
  letter-spacing: -.015em; overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 18px; line-height: 1.3; font-weight: 620; }
p { margin: 0; max-width: 68ch; }
section { margin-top: 60px; }
.soft, time { color: var(--soft); }
.note { margin-top: 24px; padding: 12px 16px; border-left: 3px solid var(--refused);
  max-width: none; background: var(--tint); overflow-wrap: anywhere; }
.note + .note { margin-top: 8px; }
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: 28px 24px;
  margin: 44px 0 0; }
.figures div { border-top: 1px solid var(--line); padding-top: 14px; }
dt { color: var(--soft); font-size: 14px; }
dd { margin: 0; }
.figures .value { font-size: 30px; line-height: 1.25; font-weight: 600;
  letter-spacing: -.02em; font-variant-numeric: tabular-nums; white-space: nowrap; }
.figures .value + dd { color: var(--soft); font-size: 14px; }
figure { margin: 20px 0 0; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
.narrow { display: none; }
svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
svg .name { font-size: 14px; fill: var(--ink); }
svg .value { font-size: 13px; font-weight: 600; fill: var(--ink); }
svg .soft { font-weight: 400; fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--soft); }
svg .quantile { stroke: var(--quantile); stroke-dasharray: 3 3; }
svg .decided { fill: var(--decided); } svg .undecided { fill: var(--undecided); }
svg .valid { fill: var(--valid); } svg .refused { fill: var(--refused); }
svg .invalid_input { fill: var(--invalid); } svg .failed { fill: var(--undecided); }
svg .unknown { fill: var(--unknown); }
table { width: 100%; margin-top: 20px; border-collapse: collapse; font-size: 15px; }
th, td { padding: 11px 20px 11px 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: 14px; font-weight: 400; }
tbody th { width: 30%; color: var(--soft); font-weight: 400; }
.reasons .count { width: 104px; text-align: right; padding-right: 28px; }
.reasons td.count { font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.reasons .verdict { width: 132px; }
.reasons small { display: block; margin-top: 2px; color: var(--soft); font-size: 13.5px; }
footer { margin-top: 60px; padding-top: 20px; border-top: 1px solid var(--line);
  color: var(--soft); font-size: 14px; }
@media (max-width: 640px) {
  main { padding: 32px 20px 48px; }
  h1 { font-size: 25px; }
  section { margin-top: 46px; }
  .figures { grid-template-columns: 1fr 1fr; margin-top: 32px; }
  .figures .value { font-size: 24px; }
  .wide { display: none; } .narrow { display: block; }
  th, td { padding-right: 14px; }
  tbody th { width: 38%; }
  .reasons .count { width: 76px; padding-right: 16px; }
  .reasons .verdict { width: 84px; }
}
@media print {
  :root { --page: #fff; --ink: #000; --soft: #555; --line: #ccc; --tint: #f4f4f4;
    --decided: #3b74c4; --undecided: #d9542f; --quantile: #000;
    --valid: #3b74c4; --refused: #c98a14; --invalid: #8a8f99; --unknown: #8b5fbf; }
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  section { margin-top: 32px; }
  .wide { display: block; } .narrow { display: none; }
  h2, h2 + p { break-after: avoid; } figure, tr, .figures div { break-inside: avoid; }
  svg, .note { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
