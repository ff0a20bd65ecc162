// node walk.js FIREFOX URL ACCOUNT PASSWORD FOLDER PATH...: logs in, looks at each page, prints what
// went wrong and what each page's heading is, as JSON; keeps a picture of each in FOLDER.
import puppeteer from "puppeteer-core";

const [firefox, url, account, password, folder, ...paths] = process.argv.slice(2);
const browser = await puppeteer.launch({ browser: "firefox", executablePath: firefox });
const page = await browser.newPage();
await page.setViewport({ width: 1280, height: 800 });
const wrong = [];
page.on("pageerror", (error) => wrong.push(error.message));
page.on("console", (said) => said.type() === "error" && wrong.push(said.text()));

await page.goto(`${url}/login`);
await page.type("#account", account);
await page.type("#password", password);
await Promise.all([page.waitForNavigation(), page.click("main button.primary")]);

const headings = {};
for (const [number, path] of paths.entries()) {
  await page.goto(url + path);
  headings[path] = await page.$eval("h1", (element) => element.textContent.trim());
  await page.screenshot({ path: `${folder}/${number}.png` });
}
await browser.close();
console.log(JSON.stringify({ wrong, headings }));
