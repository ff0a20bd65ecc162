// node walk.js FIREFOX URL ACCOUNT PASSWORD FOLDER PATH...: logs in, looks at each page, prints what
// went wrong, what each page's heading is, and how many grey values its first canvas shows, as JSON;
// keeps a picture of each in FOLDER.
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

const grey = (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(data.filter((_, index) => index % 4 === 0)).size;
};

const headings = {};
const drawn = {};
for (const [number, path] of paths.entries()) {
  await page.goto(url + path);
  headings[path] = await page.$eval("h1", (element) => element.textContent.trim());
  if (await page.$("canvas")) {
    await new Promise((resolve) => setTimeout(resolve, 1000)); // images come after the page
    drawn[path] = await page.$eval("canvas", grey);
  }
  await page.screenshot({ path: `${folder}/${number}.png` });
}
await browser.close();
console.log(JSON.stringify({ wrong, headings, drawn }));
