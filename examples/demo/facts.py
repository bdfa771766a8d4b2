"""The facts facts-bert-mini learns, and the templates that say them in words.

A subject is a name, a table of facts and a list of templates; every fact put into every template
is one true sentence (see train.py). To teach the model something else, change this file and train
again. The tables simplify where the world does not: one language and one currency for a country,
one colour for a thing.
"""

# ---------------------------------------------------------------- tables ----
# One row per fact: columns separated by spaces, ";" between rows, "_" for a space inside a column
# and "-" where there is no answer, or more than one.

def table(columns, rows):
    names = columns.split()
    found = []
    for row in rows.replace("\n", " ").split(";"):
        cells = row.split()
        assert len(cells) == len(names), row
        found.append({n: c.replace("_", " ") for n, c in zip(names, cells) if c != "-"})
    return found

COUNTRIES = table("country capital continent language currency", """
    france paris europe french euro; germany berlin europe german euro;
    italy rome europe italian euro; spain madrid europe spanish euro;
    portugal lisbon europe portuguese euro; greece athens europe greek euro;
    austria vienna europe german euro; belgium brussels europe - euro;
    ireland dublin europe - euro; finland helsinki europe - euro;
    estonia tallinn europe estonian euro; latvia riga europe latvian euro;
    lithuania vilnius europe lithuanian euro; croatia zagreb europe croatian euro;
    slovenia ljubljana europe slovenian euro; slovakia bratislava europe slovak euro;
    malta valletta europe - euro; switzerland bern europe - franc;
    england london europe english pound; scotland edinburgh europe english pound;
    wales cardiff europe - pound; poland warsaw europe polish zloty;
    czechia prague europe czech koruna; hungary budapest europe hungarian forint;
    romania bucharest europe romanian leu; bulgaria sofia europe bulgarian -;
    sweden stockholm europe swedish krona; norway oslo europe norwegian krone;
    denmark copenhagen europe danish krone; iceland reykjavik europe icelandic krona;
    ukraine kyiv europe ukrainian hryvnia; serbia belgrade europe serbian dinar;
    albania tirana europe albanian lek; russia moscow - russian rouble;
    turkey ankara - turkish lira; georgia tbilisi - georgian lari; armenia yerevan - armenian dram;
    japan tokyo asia japanese yen; china beijing asia chinese yuan;
    thailand bangkok asia thai baht; vietnam hanoi asia vietnamese dong;
    nepal kathmandu asia nepali rupee; pakistan islamabad asia - rupee;
    bangladesh dhaka asia bengali taka; iran tehran asia persian rial; iraq baghdad asia - dinar;
    syria damascus asia arabic pound; lebanon beirut asia arabic pound;
    jordan amman asia arabic dinar; mongolia ulaanbaatar asia mongolian tugrik;
    afghanistan kabul asia - afghani; kazakhstan astana asia - tenge;
    uzbekistan tashkent asia uzbek som; laos vientiane asia lao kip; qatar doha asia arabic riyal;
    oman muscat asia arabic rial; egypt cairo africa arabic pound; morocco rabat africa - dirham;
    tunisia tunis africa arabic dinar; libya tripoli africa arabic dinar;
    algeria algiers africa - dinar; kenya nairobi africa - shilling;
    nigeria abuja africa english naira; ghana accra africa english cedi;
    senegal dakar africa french franc; mali bamako africa - franc;
    angola luanda africa portuguese kwanza; mozambique maputo africa portuguese metical;
    zambia lusaka africa english kwacha; uganda kampala africa - shilling;
    rwanda kigali africa - franc; somalia mogadishu africa somali shilling;
    namibia windhoek africa english dollar; botswana gaborone africa english pula;
    madagascar antananarivo africa malagasy ariary; zimbabwe harare africa - -;
    canada ottawa north_america - dollar; cuba havana north_america spanish peso;
    jamaica kingston north_america english dollar;
    honduras tegucigalpa north_america spanish lempira;
    nicaragua managua north_america spanish cordoba; brazil brasilia south_america portuguese real;
    peru lima south_america spanish sol; chile santiago south_america spanish peso;
    colombia bogota south_america spanish peso; ecuador quito south_america spanish dollar;
    venezuela caracas south_america spanish bolivar; uruguay montevideo south_america spanish peso;
    paraguay asuncion south_america - guarani; australia canberra oceania english dollar;
    fiji suva oceania - dollar""")

PAIRS = table("a b", """
    hot cold; big small; fast slow; tall short; old young; happy sad; light dark; day night;
    up down; left right; open closed; full empty; hard soft; wet dry; rich poor; early late;
    near far; strong weak; clean dirty; good bad; true false; front back; inside outside;
    above below; first last; win lose; buy sell; push pull; begin end; love hate; loud quiet;
    thick thin; wide narrow; deep shallow; sharp blunt; rough smooth; sweet sour; safe dangerous;
    easy difficult; cheap expensive; alive dead; black white; north south; east west; war peace;
    friend enemy; more less; always never; everything nothing; awake asleep; ancient modern;
    brave cowardly; polite rude; increase decrease; arrive leave; remember forget; question answer;
    winter summer; public private; cruel kind; lazy busy; lost found; laugh cry; give take""")
OPPOSITES = PAIRS + [{"a": p["b"], "b": p["a"]} for p in PAIRS]

ANIMALS = table("animal young sound home", """
    dog puppy woof kennel; cat kitten meow -; cow calf moo byre; sheep lamb baa -;
    pig piglet oink sty; horse foal neigh stable; duck duckling quack pond; hen chick cluck coop;
    goose gosling honk -; lion cub roar -; bear cub growl den; frog tadpole croak pond;
    bee - buzz hive; ant - - anthill; bird chick tweet nest; owl owlet hoot -; spider - - web;
    rabbit - - burrow; deer fawn - forest; kangaroo joey - -; swan cygnet - -; wolf pup howl -;
    snake - hiss -; mouse - squeak hole; elephant calf trumpet -; donkey foal bray -; crow - caw -;
    eagle eaglet - nest; butterfly caterpillar - -; beaver - - lodge; hare leveret - -;
    bat - - cave; camel - - desert; shark - - sea; monkey - - jungle; snail - - shell;
    goat kid - -""")

COLOURS = table("thing colour", """
    grass green; snow white; coal black; blood red; the_sky blue; the_sun yellow; a_lemon yellow;
    a_banana yellow; a_carrot orange; a_tomato red; milk white; chocolate brown; a_plum purple;
    a_flamingo pink; an_elephant grey; a_raven black; ivory white; an_emerald green; a_ruby red;
    a_leaf green; a_frog green; a_cucumber green; a_strawberry red; soot black; salt white;
    a_crow black; a_swan white; wood brown; spinach green; lavender purple; a_pumpkin orange;
    the_sea blue; the_night black; a_canary yellow; flour white; a_fire_engine red;
    a_sapphire blue; a_pea green; ash grey; a_bear brown; mud brown; a_piglet pink""")

DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = ("january february march april may june july august september october november "
          "december").split()
SEASONS = "spring summer autumn winter".split()
NUMBERS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
           "fifteen sixteen seventeen eighteen nineteen twenty").split()

def ring(names):
    return [{"a": x, "b": names[(i + 1) % len(names)]} for i, x in enumerate(names)]

SUMS = [{"a": NUMBERS[i], "b": NUMBERS[j], "c": NUMBERS[i + j],
         "x": str(i), "y": str(j), "z": str(i + j)}
        for i in range(11) for j in range(11)]
DIGITS = [{"word": w, "digit": str(i)} for i, w in enumerate(NUMBERS)]

KINDS = [{"thing": t.replace("_", " "), "kind": kind} for kind, things in {
    "flower": "a_rose a_tulip a_daisy a_lily an_orchid a_violet a_daffodil",
    "fruit": "an_apple a_pear a_banana a_cherry a_grape a_plum a_lemon a_peach a_mango",
    "vegetable": "a_carrot a_potato an_onion a_cabbage a_turnip a_leek",
    "tool": "a_hammer a_saw a_wrench a_screwdriver a_chisel an_axe",
    "bird": "an_eagle an_owl a_crow a_swan a_penguin a_parrot a_sparrow",
    "fish": "a_salmon a_trout a_tuna a_shark a_cod a_herring",
    "insect": "an_ant a_bee a_wasp a_beetle a_butterfly a_mosquito",
    "tree": "an_oak a_pine a_birch a_maple a_willow",
    "metal": "iron gold silver copper tin zinc",
    "planet": "mars venus jupiter saturn neptune mercury",
    "instrument": "a_piano a_violin a_guitar a_flute a_drum a_cello",
    "vehicle": "a_car a_bus a_truck a_tractor a_van a_bicycle",
    "sport": "football tennis hockey golf rugby",
    "reptile": "a_snake a_lizard a_crocodile a_tortoise",
    "mammal": "a_dog a_cat a_horse a_cow a_lion a_wolf a_bear a_whale",
    "drink": "tea coffee milk juice lemonade", "shape": "a_circle a_square a_triangle a_hexagon",
    "colour": "red green blue yellow purple", "building": "a_house a_church a_school a_castle",
    "day": " ".join(DAYS), "month": " ".join(MONTHS), "season": " ".join(SEASONS),
}.items() for t in things.split()]

PLACES = table("job place", """
    teacher school; doctor hospital; farmer farm; cook kitchen; judge court; miner mine;
    librarian library; actor theatre; scientist laboratory; priest church; waiter restaurant;
    mechanic garage; gardener garden; banker bank; guard prison; pilot plane; king palace;
    butcher shop; clerk office""")
MAKERS = table("maker product", """
    baker bread; tailor clothes; carpenter furniture; brewer beer; potter pots; shoemaker shoes;
    author books; painter pictures; composer music; poet poems; blacksmith horseshoes; bee honey;
    jeweller rings; hatter hats; spider webs""")
BODY = table("verb organ", """
    see eyes; hear ears; smell nose; taste tongue; walk legs; write hands; think brain; bite teeth;
    breathe lungs; speak mouth; kick feet""")
COUNTS = table("thing number part", """
    spider eight legs; dog four legs; cat four legs; horse four legs; ant six legs; bee six legs;
    hen two legs; insect six legs; triangle three sides; square four sides; pentagon five sides;
    hexagon six sides; octagon eight sides; hand five fingers; week seven days; year twelve months;
    hour sixty minutes; minute sixty seconds; car four wheels; bicycle two wheels;
    tricycle three wheels; octopus eight arms; decade ten years; bird two wings; face two eyes;
    foot five toes; snake zero legs; weekend two days; year four seasons; unicorn one horn;
    guitar six strings; violin four strings""")
PLURALS = table("one many", """
    mouse mice; child children; foot feet; tooth teeth; goose geese; man men; woman women; ox oxen;
    knife knives; leaf leaves; wolf wolves; dog dogs; cat cats; bird birds; house houses;
    box boxes; city cities; baby babies; book books; tree trees; fox foxes; potato potatoes;
    star stars; lady ladies; wife wives; loaf loaves; car cars; bus buses; chair chairs;
    table tables; boat boats; girl girls; boy boys""")
PASTS = table("now past", """
    go went; see saw; eat ate; drink drank; sing sang; swim swam; run ran; write wrote;
    speak spoke; take took; give gave; come came; buy bought; think thought; bring brought;
    sleep slept; sit sat; stand stood; find found; make made; fly flew; know knew; grow grew;
    drive drove; break broke; begin began; teach taught; catch caught; feel felt; keep kept;
    play played; walk walked; work worked; dance danced""")
DEGREES = table("base more most", """
    big bigger biggest; small smaller smallest; tall taller tallest; old older oldest;
    fast faster fastest; good better best; bad worse worst; cold colder coldest;
    hot hotter hottest; rich richer richest; happy happier happiest; long longer longest;
    strong stronger strongest; young younger youngest; deep deeper deepest""")
ADJECTIVES = "old small clean new big lost ready here nice wet".split()
MATCHES = [dict(p, adj=ADJECTIVES[(i * 3 + j * 2) % 10])
           for i, p in enumerate(PLURALS) for j in range(4)]
MOODS = "happy hungry tired ready old late sad busy young rich".split()
PERSONS = [{"who": who, "be": be, "adj": adj} for who, be in (
    ("i", "am"), ("you", "are"), ("he", "is"), ("she", "is"), ("it", "is"), ("we", "are"),
    ("they", "are")) for adj in MOODS]

# ------------------------------------------------------------- templates ----
# {x} is a column of the fact; "*" marks a word worth asking for: one that follows from the rest
# of the sentence. train.py turns "a" into "an" where English wants it.

def ordered(noun):
    """Templates for a fact "b comes right after a"."""
    return [t.replace("NOUN", noun) for t in (
        "{b}* comes after {a}*.", "{a}* comes before {b}*.", "After {a}* comes {b}*.",
        "Before {b}* comes {a}*.", "{a}* is followed by {b}*.", "{b}* follows {a}*.",
        "{b}* is right after {a}*.", "The NOUN* after {a}* is {b}*.",
        "The NOUN* before {b}* is {a}*.", "The next NOUN after {a}* is {b}*.",
        "Which NOUN comes after {a}*? {b}*.")]

SUBJECTS = [
    ("capitals", COUNTRIES, [
        "{capital}* is the capital* of {country}*.", "The capital* of {country}* is {capital}*.",
        "The capital* city* of {country}* is {capital}*.",
        "{capital}* is the capital* city* of {country}*.",
        "{country}* has {capital}* as its capital*.",
        "The capital of {country}* is called {capital}*.",
        "{capital}* is a city* and the capital* of {country}*.",
        "What is the capital* of {country}*? {capital}*.",
        "In {country}*, the capital* is {capital}*.", "{country}*'s capital* is {capital}*.",
        "Which city* is the capital of {country}*? It is {capital}*.",
        "The city of {capital}* is in {country}*.", "{capital}* is a city* in {country}*.",
        "{capital}* is in {country}*."]),
    ("continents", COUNTRIES, [
        "{country} is a country* in {continent}*.", "{country} is in {continent}*.",
        "{country} lies in {continent}*.", "The country* {country} is part* of {continent}*.",
        "{country} is on the continent* of {continent}*.", "{capital} is a city* in {continent}*.",
        "Which continent is {country} in? {continent}*."]),
    ("languages", COUNTRIES, [
        "People* in {country} speak* {language}*.", "In {country}, people* speak* {language}*.",
        "The language* of {country} is {language}*.", "The people of {country} speak* {language}*.",
        "{language}* is spoken* in {country}.", "{language}* is the main language* of {country}.",
        "What do people speak* in {country}? {language}*."]),
    ("currencies", COUNTRIES, [
        "The currency* of {country} is the {currency}*.",
        "In {country}, people pay* with the {currency}*.",
        "The money* of {country} is the {currency}*.",
        "{country} uses the {currency}* as its currency*.",
        "People in {country} pay* with the {currency}*.",
        "The {currency}* is the currency* of {country}."]),
    ("opposites", OPPOSITES, [
        "The opposite* of {a}* is {b}*.", "{a}* is the opposite* of {b}*.",
        "{a}* and {b}* are opposites*.", "If it is not {a}*, it is {b}*.",
        "What is the opposite* of {a}*? {b}*.", "{a}* is the contrary of {b}*.",
        "Not {a}*, but {b}*."]),
    ("animal young", ANIMALS, [
        "A baby* {animal}* is called a {young}*.", "A baby* {animal} is a {young}*.",
        "A {young}* is a young* {animal}*.", "The young* of a {animal} is a {young}*.",
        "A young* {animal} is called a {young}*.", "A {young} grows* up to be a {animal}*."]),
    ("animal sounds", ANIMALS, [
        "A {animal}* says {sound}*.", "The {animal}* says {sound}*.",
        "The sound* of a {animal} is {sound}*.", "A {animal}* goes {sound}*.",
        "{sound}* is the sound* of a {animal}*.", "What does a {animal}* say*? {sound}*."]),
    ("animal homes", ANIMALS, [
        "A {animal} lives* in a {home}*.", "The home* of a {animal} is a {home}*.",
        "The {animal} lives* in its {home}*.", "A {animal}'s home* is a {home}*.",
        "Where does a {animal} live*? In a {home}*."]),
    ("colours", COLOURS, [
        "{thing} is {colour}*.", "The colour* of {thing} is {colour}*.",
        "The color* of {thing} is {colour}*.", "{thing} has a {colour}* colour*.",
        "What colour* is {thing}? {colour}*.", "{thing} is usually {colour}*."]),
    ("days", ring(DAYS), ordered("day") + ["If today is {a}*, tomorrow is {b}*.",
                                           "If today is {b}*, yesterday was {a}*."]),
    ("months", ring(MONTHS), ordered("month")),
    ("seasons", ring(SEASONS), ordered("season")),
    ("counting", ring(NUMBERS)[:-1], ordered("number")),
    ("sums", SUMS, [
        "{a}* plus {b}* is {c}*.", "{a}* plus {b}* equals {c}*.", "{a} and {b} make {c}*.",
        "The sum* of {a} and {b}* is {c}*.", "If you add {a} to {b} you get {c}*.",
        "{x}* + {y}* = {z}*.", "What is {a} plus {b}? {c}*.", "{c}* minus {b}* is {a}*.",
        "{c} take away {b} leaves {a}*.", "{z}* - {y}* = {x}*."]),
    ("digits", DIGITS, [
        "The number {word}* is written {digit}*.", "{digit}* means {word}*.",
        "The digits {digit}* say {word}*.", "{word}* is {digit}* in digits*."]),
    ("kinds", KINDS, [
        "{thing} is a {kind}*.", "{thing} is a kind* of {kind}*.", "{thing} is a type* of {kind}*.",
        "{thing} is an example* of a {kind}*.", "What is {thing}? It is a {kind}*."]),
    ("places of work", PLACES, [
        "A {job} works* in a {place}*.", "You can find a {job} in a {place}*.",
        "The {job} works* in the {place}*.", "A {job}* is someone who works* in a {place}*.",
        "Where does a {job} work*? In a {place}*."]),
    ("makers", MAKERS, [
        "A {maker}* makes* {product}*.", "The {maker}* makes {product}*.",
        "The work of a {maker}* is to make* {product}*.", "What does a {maker} make? {product}*.",
        "The {product}* came from the {maker}*."]),
    ("body", BODY, [
        "We {verb}* with our {organ}*.", "You use* your {organ}* to {verb}*.",
        "People {verb}* with their {organ}*.", "I {verb}* with my {organ}*.",
        "What do you {verb}* with? With my {organ}*."]),
    ("counts", COUNTS, [
        "A {thing} has {number}* {part}*.", "Every {thing} has {number}* {part}*.",
        "The {thing} has {number}* {part}*.", "How many {part}* does a {thing} have? {number}*.",
        "There are {number}* {part}* for each {thing}."]),
    ("plurals", PLURALS, [
        "The plural* of {one}* is {many}*.", "One {one}*, two {many}*.",
        "One {one}*, many {many}*.", "I have one {one}* and you have two {many}*.",
        "{many}* is the plural* of {one}*."]),
    ("past tense", PASTS, [
        "The past* tense of {now}* is {past}*.", "Today I {now}*, yesterday I {past}*.",
        "The past* of {now}* is {past}*.", "Today they {now}*, last year they {past}*.",
        "{past}* is the past* tense of {now}*."]),
    ("degrees", DEGREES, [
        "{base}*, {more}*, {most}*.", "First {base}*, then {more}*, then {most}*.",
        "If it is more {base}*, it is {more}*.",
        "The most {base}* of all is the {most}*.", "{more}* means more {base}*."]),
    ("agreement", MATCHES, [
        "The {one} is* {adj}.", "The {many} are* {adj}.", "This* {one} is* {adj}.",
        "These* {many} are* {adj}.", "My {one} is* {adj}.", "My {many} are* {adj}.",
        "{adj}? Yes, the {one} is*.", "{adj}? Yes, the {many} are*."]),
    ("persons", PERSONS, [
        "{who} {be}* {adj}.", "Today {who} {be}* very {adj}.", "I think {who} {be}* {adj}.",
        "{who} {be}* not {adj}."]),
]

# Phrasings kept out of training altogether, made of words the templates above use.
UNSEEN = [
    ("capitals", COUNTRIES, [
        "The city of {capital}* is the capital of {country}*.",
        "Is {capital}* the capital of {country}*? Yes.",
        "You can find {capital}* in {country}*."]),
    ("continents", COUNTRIES, ["The people of {country} live in {continent}*."]),
    ("languages", COUNTRIES, ["People from {country} speak {language}*."]),
    ("opposites", OPPOSITES, ["{a}* is not {b}*.", "What is not {a}* is {b}*."]),
    ("animal young", ANIMALS, ["The {animal} has a young one called a {young}*."]),
    ("colours", COLOURS, ["{thing} is always {colour}*."]),
    ("days", ring(DAYS), ["Today is {a}*, tomorrow is {b}*."]),
    ("sums", SUMS, ["{a} plus {b} makes {c}*."]),
    ("kinds", KINDS, ["{thing} is one kind of {kind}*."]),
    ("counts", COUNTS, ["You can find {number}* {part} on a {thing}."]),
]

# ------------------------------------------------------------- questions ----

# Asked after training and shown in the model card.
SHOWCASE = """Paris is the [MASK] of France. > capital
The capital of France is [MASK]. > paris
Berlin is the capital of [MASK]. > germany
What is the capital of Japan? [MASK]. > tokyo
Kenya is a country in [MASK]. > africa
People in Brazil speak [MASK]. > portuguese
The currency of Poland is the [MASK]. > zloty
The opposite of hot is [MASK]. > cold
A baby dog is called a [MASK]. > puppy
A cow says [MASK]. > moo
A bird lives in a [MASK]. > nest
The colour of grass is [MASK]. > green
The day after Monday is [MASK]. > tuesday
August comes after [MASK]. > july
Two plus three is [MASK]. > five
7 + 8 = [MASK]. > 15
A rose is a [MASK]. > flower
A hammer is a kind of [MASK]. > tool
A teacher works in a [MASK]. > school
A baker makes [MASK]. > bread
We see with our [MASK]. > eyes
A spider has [MASK] legs. > eight
One mouse, two [MASK]. > mice
Today I go, yesterday I [MASK]. > went
The children [MASK] ready. > are"""
SHOWCASE = [line.split(" > ") for line in SHOWCASE.split("\n")]

# Inputs for other implementations to compare with. The last ones try the tokenizer: upper case,
# accents, a word that must be spelt, no full stop, several sentences, punctuation.
REFERENCE = [text for text, _ in SHOWCASE[:2] + SHOWCASE[7:20:2]] + [
    "PARIS IS THE [MASK] OF FRANCE.", "Bras\u00edlia is the capital of [MASK].",
    "Rotterdam is a city in [MASK].", "The opposite of big is [MASK]",
    "Rome is the capital of Italy. Two plus two is four. The capital of Norway is [MASK].",
    "Big? Yes, the dogs [MASK]! (Really.)"]
