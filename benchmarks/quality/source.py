# ruff: noqa: E501 - sentences read better on one line
"""What the set is made of, written for it: what a company's notes are about, in several wordings, and how people ask for it.

A topic is a line of its own: its group, four wordings of one matter, and a question in words that the wordings mostly do without.
"""

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """One matter: the group of matters near it, its name, how notes word it, and how somebody asks for it."""

    group: str
    name: str
    wordings: tuple[str, str, str, str]
    question: str


TOPICS = [Topic(group, name, tuple(wordings.split(" | ")), question) for group, name, wordings, question in [  # type: ignore[arg-type]
    ("delivery", "late delivery", "The goods arrived three weeks after the agreed date, so the supplier owes us a penalty. | The shipment is delayed again and the contract grants one percent of its value for each week. | Because of the overdue consignment we deducted liquidated damages. | The truck came far too late; the buyer claims compensation.", "what do we get when a vendor misses the deadline for shipping"),
    ("delivery", "partial delivery", "Only half of the ordered pallets were unloaded; the rest follows next month. | The supplier shipped an incomplete order and asks to send the remainder separately. | Twelve of twenty crates arrived, the backorder stays open. | We accepted a part of the quantity and keep the purchase open for what is missing.", "some of the items have not come yet"),
    ("delivery", "damage in transit", "The boxes were crushed on the road and the glass inside is broken. | Forklift marks and wet cardboard show that the freight was mishandled by the carrier. | Several machines were scratched during transport, the haulier's insurer was informed. | The container leaked at sea, and salt water ruined the electronics.", "cargo was harmed while it was being moved"),
    ("delivery", "wrong article", "We ordered blue cable and received red wire instead. | The package contained somebody else's parts; the labels had been swapped. | A different model than the one in the purchase was supplied and goes back. | The vendor mixed up two article numbers, so we return the valves.", "they sent us something that we did not buy"),
    ("payment", "early payment discount", "Two percent may be deducted if the invoice is settled within ten days. | The supplier grants a cash rebate for quick payment. | Paying before the fourteenth of the month lowers the bill slightly. | Accounting should use the skonto that is offered for prompt transfer.", "can we save money by transferring the amount sooner"),
    ("payment", "overdue invoice", "The customer has not paid for sixty days, and we now charge interest. | A third reminder was posted for the unpaid bill. | Outstanding receivables were handed to a collection agency. | The debtor ignores our letters, so dunning fees are added.", "someone still owes us money after many warnings"),
    ("payment", "duplicate payment", "The same bill was transferred twice, and the bank returns one amount. | An invoice was booked double; the vendor issues a credit note. | We paid again by mistake and ask for a refund. | Two identical remittances left our account on Monday.", "how to get back what was wired two times"),
    ("payment", "exchange rate", "The price is in yen and was converted at the rate of the central bank. | A stronger dollar makes the imported parts more expensive. | Treasury hedges the foreign currency with forwards. | The euro fell, so the accounting department books a conversion loss.", "effect of money of other countries on our costs"),
    ("contract", "termination", "Either party may cancel the agreement with three months' notice. | The lease was ended for good cause after repeated breaches. | We gave written notice that the service contract stops in June. | The customer withdraws from the deal and pays for work done so far.", "how do I get out of a deal that we signed"),
    ("contract", "renewal", "Unless cancelled, the subscription is extended by another year. | The agreement prolongs itself every January. | The maintenance contract was rolled over without a decision by anybody. | An option allows us to continue for two more years on the same terms.", "what happens when nobody objects at the end of the term"),
    ("contract", "price adjustment", "Fees rise each spring in line with the consumer index. | The supplier may pass higher steel costs on to us. | The rates were corrected upwards because of inflation. | A clause ties what we pay to the producer price statistics.", "why does the service become more expensive every year"),
    ("contract", "confidentiality", "Neither side may disclose drawings or customer lists to others. | The visitor signed a non-disclosure agreement before the tour. | Trade secrets must be kept for five years after the project. | Documents marked as private are not to leave the building.", "are we allowed to tell outsiders about this"),
    ("quality", "inspection", "Five pieces out of each lot are measured before acceptance. | Incoming goods are sampled according to the test plan. | The examiner rejected the lot because two specimens were oversize. | A visual check at the gate found no flaw.", "how do we verify that what comes in is good"),
    ("quality", "recall", "Customers are asked to send back all pumps of the March batch. | A faulty series was withdrawn from the market. | Dealers must stop selling the heater because its plug may overheat. | The manufacturer takes the defective brakes back free of charge.", "a dangerous product has to be returned by everybody who bought it"),
    ("quality", "calibration", "The scale was compared with reference weights and adjusted. | Every torque wrench gets a new certificate once a year. | The thermometer deviates by half a degree and was corrected. | Measuring instruments without a valid sticker must not be used.", "is our equipment for taking readings accurate"),
    ("quality", "warranty", "The motor failed after eight months and is repaired at no cost. | The maker replaces the pump under the guarantee. | The claim was refused, since the seal had been broken by the user. | Spare parts are free within two years of purchase.", "it stopped working soon after we bought it, who pays"),
    ("people", "overtime", "Extra hours on Saturday are paid with a supplement of a quarter. | The team stayed until midnight to finish the order. | Work beyond forty hours needs the approval of the manager. | Additional shifts were compensated with free days.", "I laboured longer than usual and want something for it"),
    ("people", "parental leave", "The colleague takes a year off to care for her newborn. | Fathers may stay at home for two months after the birth. | A replacement was hired while the engineer is on maternity leave. | She comes back part-time when the child goes to kindergarten.", "can I stop working for a while because of a baby"),
    ("people", "training", "Welders must pass the exam again every third year. | Eight employees attended the forklift course and got their licence. | The seminar on spreadsheets was booked out at once. | New staff learn the machine from an experienced mentor.", "how do workers acquire new skills"),
    ("people", "home office", "Employees may work from home on two days a week. | The company lends a monitor and a chair for the desk at home. | Video calls replace the weekly meeting for remote staff. | Telework ends when the customer needs someone on site.", "doing the job from my own apartment"),
    ("safety", "fire drill", "The building was evacuated within four minutes during the exercise. | Alarm bells rang on Tuesday and everybody met at the assembly point. | Extinguishers were checked, and two stairwells were blocked. | Wardens in yellow vests counted the staff outside.", "practising what to do if there are flames"),
    ("safety", "chemicals", "Acids and solvents are kept in separate steel cabinets. | The drum of cleaning agent was not labelled as corrosive. | Leaking canisters of thinner were put into a tray. | Flammable liquids must be stored below twenty-five degrees.", "where should toxic substances be put"),
    ("safety", "protective gear", "Helmets and safety shoes are compulsory in the hall. | He lost his goggles and welded without a mask. | Ear plugs are handed out at the entrance to the press shop. | Gloves resistant to cuts were bought for the glass line.", "what do I have to wear at the machines"),
    ("safety", "accident", "A worker slipped on oil and broke his wrist. | The injured colleague was taken to hospital by ambulance. | The near miss with the crane was reported to the authority. | First aid was given after a hand was caught in the belt.", "somebody got hurt at the plant"),
    ("systems", "password", "The user was locked out after five wrong attempts and got new credentials. | Passphrases must have sixteen characters from now on. | A second factor on the phone is needed to log in. | The help desk resets forgotten logins within an hour.", "I cannot sign in to my account any more"),
    ("systems", "backup", "The file server was restored from last night's copy. | A test showed that the tapes could not be read. | Snapshots of the database are kept for thirty days. | The archive was copied to a second data centre.", "can we bring back data that was deleted"),
    ("systems", "phishing", "Staff received a mail with a forged link to the bank. | The attachment pretended to be an invoice and carried malware. | Someone posing as the director asked for gift cards. | Two people typed their credentials into a fake page.", "strange messages try to trick us into giving away secrets"),
    ("systems", "outage", "The internet connection was down from nine to eleven. | A broken switch cut the second floor off. | The wireless in the warehouse drops every few minutes. | An excavator severed the fibre, and the phones were dead.", "nobody could get online this morning"),
    ("building", "heating", "The boiler stopped, and the offices had twelve degrees. | Radiators on the north side stay cold in the morning. | The plumber vented the pipes and replaced a thermostat. | A new heat pump will be installed before winter.", "it is freezing at my desk"),
    ("building", "parking", "Permits for the garage are issued by the reception. | Cars without a badge were towed from the yard. | Charging points for electric vehicles are on level two. | Visitors leave their vehicles behind the main gate.", "where can I put my automobile"),
    ("building", "cleaning", "The windows are washed in April and October. | Bins are emptied every evening by the contractor. | The carpet of the meeting room was shampooed. | Staff complained about dust and dirty kitchens.", "the rooms are not tidy enough"),
    ("building", "elevator", "The lift stuck between two floors with a courier inside. | The inspector closed the goods hoist because of a worn rope. | The cabin doors do not close, a technician is on the way. | The elevator may carry eight persons.", "how do I get upstairs without taking the steps"),
    ("travel", "hotel", "Rooms above a hundred and twenty euros a night need approval. | The trade fair makes all lodging in town expensive. | She cancelled the reservation a day before and paid nothing. | Breakfast is deducted from the daily allowance.", "how much may a place to sleep cost on a business trip"),
    ("travel", "rail and air", "For distances under five hundred kilometres colleagues take the train. | Flights in business class are for journeys of more than eight hours. | The railway strike forced the team to book planes. | A rail card pays off after three trips.", "should we fly or not"),
    ("travel", "private car", "Thirty cents a kilometre are refunded when one drives oneself. | Petrol receipts are not accepted, the mileage is. | He scratched his own vehicle on the way to the customer. | A log of all drives must be enclosed.", "reimbursement for using my own wheels"),
    ("travel", "luggage", "The suitcase did not arrive in Lisbon and was found in Madrid. | The airline pays for clothes until the bag turns up. | Sample cases exceed the weight limit and cost extra. | A laptop was stolen from the overhead compartment.", "my belongings disappeared at the airport"),
    ("energy", "solar panels", "The modules on the roof made forty megawatt hours last year. | Snow on the photovoltaic field lowered the yield. | An inverter failed and a string of panels was off. | Surplus power is sold to the grid at noon.", "making our own current from sunlight"),
    ("energy", "tariff", "The price of a kilowatt hour goes up by three cents. | The utility offers cheaper electricity at night. | Peak load in January made the bill expensive. | We change the supplier of gas and power in autumn.", "what do we spend on running lights and machines"),
    ("energy", "insulation", "The attic was lined with mineral wool against the cold. | Old windows were replaced by triple glazing. | A thermal camera showed warm air escaping at the gate. | The facade gets a coat of foam boards.", "keeping warmth from getting lost through the walls"),
    ("energy", "water leak", "A burst pipe flooded the cellar overnight. | The meter ran although all taps were closed. | Damp stains on the ceiling come from the bathroom above. | The valve drips and wastes a bathtub a day.", "something is wet that should be dry"),
]]  # fmt: skip

# What notes say beside their matter, whatever that is.
ASIDES = [
    "Please file this with the other papers of the month.", "The board was informed on Friday.", "A decision is expected at the next meeting.",
    "Photos are attached.", "This replaces the earlier note on the subject.", "Purchasing and accounting have a copy.", "Nothing else has to be done for now.",
    "The matter comes up again next quarter.", "See also the minutes of the last round.", "Legal has read it and agrees.", "The customer was told by phone.", "It is the second case this year.",
]  # fmt: skip

NAMES = [
    "Marit Solheim", "Tomasz Wilk", "Ines Carvalho", "Joost Verhage", "Ayla Demirel", "Bence Fodor", "Noor Haddad", "Ruairi Kehoe", "Lucia Ferrante", "Oskar Lindqvist",
    "Petra Novotna", "Kwame Asante", "Yuki Taniguchi", "Dragan Petrov", "Elif Kaya", "Sione Tupou", "Greta Baumann", "Rafael Quispe", "Hanna Virtanen", "Amadou Diallo",
]  # fmt: skip

SITES = ["Nordhaven", "Quellbach", "Tarnov", "Vila Serra", "Ostby", "Kelmore", "Drumlin", "Brackwede"]
PARTS = ["VX-310-B", "KL7742", "HR-0095", "ZT-88-19", "QF1203-A", "MM-47-C", "TP9001", "WB-215-R", "LD-66-X", "GN3380"]
